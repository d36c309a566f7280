package channellayer

// A GroupReport is a group as it stands in a layer, for whoever looks into one from outside.
type GroupReport struct {
	Group string `json:"group"`
	Host  int    `json:"host"` // the number of the host in the configuration, from 0
	// Members are channels, of which a Belleville has one for all its connections.
	Members int `json:"members"`
	// Expired are those of them that were added longer ago than the group expiry, and get nothing more.
	Expired int `json:"expired"`
	// Processes is how many processes have a member.
	Processes int `json:"processes"`
}

// An InboxReport is a place in which messages wait.
type InboxReport struct {
	// Inbox is the channel, or what the channels of a process have in common, up to "!".
	Inbox string `json:"inbox"`
	Host  int    `json:"host"`
	// Messages is how many wait. Senders drop what exceeds the capacity, where the layer has one.
	Messages int `json:"messages"`
	// Age is how long the oldest has waited by its sender's clock, in seconds.
	Age float64 `json:"age"`
	// Inflight says that a process has taken them and not finished with them. One that died leaves them for ever.
	Inflight bool `json:"inflight"`
}

// A LeakReport is a process with members of groups whose inbox nobody reads: what is sent to them is lost, and costs each
// sender a write.
type LeakReport struct {
	Process string   `json:"process"` // what its channels' names begin with
	Groups  []string `json:"groups"`
	Members int      `json:"members"`
	Reason  string   `json:"reason"`
}

// The reasons of a LeakReport.
const (
	LeakDeadNode = "a Belleville that has ended"
	LeakUnread   = "nobody takes what waits in its inbox"
	LeakNoReader = "nobody listens to it"
)
