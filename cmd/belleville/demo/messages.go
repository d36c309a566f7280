package demo

// ChatMessage is said in a room. Django would send it as
// {"type": "chat.message", "id": …, "from": …, "text": …, "at": …}.
type ChatMessage struct {
	// ID is unique in its room and grows, also over a restart.
	ID   int64  `json:"id"`
	From string `json:"from"`
	Text string `json:"text"`
	// At is in milliseconds since 1970, as in JavaScript.
	At int64 `json:"at"`
}

// EventType implements consumers.Event.
func (ChatMessage) EventType() string { return "chat.message" }

// ChatPresence tells a room who is in it.
type ChatPresence struct {
	// Revision grows with each change, so that a page can tell which of two is the newer one.
	Revision int64     `json:"revision"`
	Here     []Visitor `json:"here"`
}

// EventType implements consumers.Event.
func (ChatPresence) EventType() string { return "chat.presence" }

// A Visitor is somebody in a room.
type Visitor struct {
	Name string `json:"name"`
	Tabs int    `json:"tabs"`
}

// said is what the page sends.
type said struct {
	Text string `json:"text"`
}

// update is what the page is sent: one of these.
type update struct {
	Welcome  *welcome      `json:"welcome,omitempty"`
	Message  *ChatMessage  `json:"message,omitempty"`
	Presence *ChatPresence `json:"presence,omitempty"`
	Refusal  *refusal      `json:"refusal,omitempty"`
}

// welcome is the first thing that a page is sent.
type welcome struct {
	You      you           `json:"you"`
	Presence ChatPresence  `json:"presence"`
	History  []ChatMessage `json:"history"`
}

// you is what Belleville knows about a visitor.
type you struct {
	Username string   `json:"username"`
	UserID   string   `json:"user_id"`
	Name     string   `json:"name"`
	Backend  string   `json:"backend"`
	Cookie   string   `json:"cookie"`
	Expires  int64    `json:"expires"` // milliseconds since 1970
	Address  string   `json:"address"`
	Channel  string   `json:"channel"`
	Groups   []string `json:"groups"`
	Since    int64    `json:"since"` // milliseconds since 1970
}

// refusal gives a message back that was not passed on.
type refusal struct {
	Reason string `json:"reason"`
	Text   string `json:"text"`
}
