package djangocompat

import "errors"

// MessagesKey is the key under which django.contrib.messages keeps what is to be shown to the visitor on the
// next page, where the site keeps that in the session: SessionStorage, or FallbackStorage where the cookie is
// too small.
const MessagesKey = "_messages"

// messageMark begins the list that stands for a message.
const messageMark = "__json_message"

var errNoMessages = errors.New("djangocompat: what a session holds as messages is none")

// A FlashMessage is a message of django.contrib.messages: something that is shown to the visitor once. (What
// goes between a client and a consumer is called a message here.)
type FlashMessage struct {
	// Level is one of message_constants: 10 debug, 20 info, 25 success, 30 warning, 40 error, or the site's own.
	Level int
	Text  string
	// Safe says that Text is HTML, which templates do not escape. Python: SafeString.
	Safe bool
	// ExtraTags are classes for the template.
	ExtraTags string
}

// FlashMessages returns the messages that wait in the session; none are none. An error means that what is
// there was not written by Django. Python: SessionStorage._get.
func (s *Session) FlashMessages() ([]FlashMessage, error) {
	v, ok := s.Get(MessagesKey)
	if !ok || v == nil {
		return nil, nil
	}
	text, ok := textOf(v)
	if !ok {
		return nil, errNoMessages
	}
	if text == "" {
		return nil, nil
	}
	escaped, err := appendASCII(nil, text)
	if err != nil {
		return nil, errNoMessages
	}
	list, err := ParseJSON(escaped)
	items, ok := list.([]any)
	if err != nil || !ok {
		return nil, errNoMessages
	}
	messages := make([]FlashMessage, 0, len(items))
	for _, item := range items {
		m, ok := flashMessageFrom(item)
		if !ok {
			return nil, errNoMessages
		}
		messages = append(messages, m)
	}
	return messages, nil
}

// flashMessageFrom reads what MessageEncoder wrote: the mark, whether it is safe, the level, the text, and
// perhaps the tags.
func flashMessageFrom(v any) (FlashMessage, bool) {
	fields, ok := v.([]any)
	if !ok || len(fields) < 4 || len(fields) > 5 || fields[0] != any(messageMark) {
		return FlashMessage{}, false
	}
	level, levelOK := fields[2].(int64)
	text, textOK := fields[3].(string)
	m := FlashMessage{Level: int(level), Text: text, Safe: truth(fields[1])}
	if len(fields) == 5 && fields[4] != nil {
		m.ExtraTags, ok = fields[4].(string)
	}
	return m, ok && levelOK && textOK
}

// truth is Python's of a number or a bool.
func truth(v any) bool { return v != nil && v != any(false) && v != any(int64(0)) }

// SetFlashMessages puts messages into the session in place of those that wait there, in the form that every
// Django reads. Without any it removes the key. The page that is served next shows them, if the site's
// MESSAGE_STORAGE looks into the session. Python: SessionStorage._store.
func (s *Session) SetFlashMessages(messages ...FlashMessage) {
	if len(messages) == 0 {
		s.Delete(MessagesKey)
		return
	}
	list := make([]any, len(messages))
	for i, m := range messages {
		fields := []any{messageMark, 0, m.Level, m.Text}
		if m.Safe {
			fields[1] = 1
		}
		if m.ExtraTags != "" {
			fields = append(fields, m.ExtraTags)
		}
		list[i] = fields
	}
	text, err := AppendJSON(nil, list)
	if err != nil { // a text that is not UTF-8
		s.fail(MessagesKey, err)
		return
	}
	s.Set(MessagesKey, string(text))
}
