package pickle

import "fmt"

const (
	maxPrinted = 4 << 10 // bytes that Sprint returns, about
	maxJSON    = 4 << 20 // bytes that MarshalJSON returns
)

// Sprint is v as text for people: the JSON of AppendJSON, cut short where it is long. It is safe for
// any value: it ends, does not recurse, and takes little memory.
func Sprint(v any) string {
	text, err := AppendJSON(nil, v, maxPrinted)
	if err != nil {
		return string(text[:min(len(text), maxPrinted)]) + "…"
	}
	return string(text)
}

// All that can contain itself prints through Sprint, whatever the verb, and marshals through
// AppendJSON: fmt and encoding/json follow references without end.

func format(s fmt.State, v any) { _, _ = s.Write([]byte(Sprint(v))) }

func marshal(v any) ([]byte, error) { return AppendJSON(nil, v, maxJSON) }

// Format implements fmt.Formatter.
func (t Tuple) Format(s fmt.State, _ rune) { format(s, t) }

// Format implements fmt.Formatter.
func (l *List) Format(s fmt.State, _ rune) { format(s, l) }

// Format implements fmt.Formatter.
func (d *Dict) Format(s fmt.State, _ rune) { format(s, d) }

// Format implements fmt.Formatter.
func (d *OrderedDict) Format(s fmt.State, _ rune) { format(s, d) }

// Format implements fmt.Formatter.
func (d *DefaultDict) Format(s fmt.State, _ rune) { format(s, d) }

// Format implements fmt.Formatter.
func (s *Set) Format(state fmt.State, _ rune) { format(state, s) }

// Format implements fmt.Formatter.
func (s *FrozenSet) Format(state fmt.State, _ rune) { format(state, s) }

// Format implements fmt.Formatter.
func (o *Object) Format(s fmt.State, _ rune) { format(s, o) }

// Format implements fmt.Formatter.
func (m *Message) Format(s fmt.State, _ rune) { format(s, m) }

// Format implements fmt.Formatter.
func (l *LazyString) Format(s fmt.State, _ rune) { format(s, l) }

// MarshalJSON implements json.Marshaler.
func (t Tuple) MarshalJSON() ([]byte, error) { return marshal(t) }

// MarshalJSON implements json.Marshaler.
func (l *List) MarshalJSON() ([]byte, error) { return marshal(l) }

// MarshalJSON implements json.Marshaler.
func (d *Dict) MarshalJSON() ([]byte, error) { return marshal(d) }

// MarshalJSON implements json.Marshaler.
func (d *OrderedDict) MarshalJSON() ([]byte, error) { return marshal(d) }

// MarshalJSON implements json.Marshaler.
func (d *DefaultDict) MarshalJSON() ([]byte, error) { return marshal(d) }

// MarshalJSON implements json.Marshaler.
func (s *Set) MarshalJSON() ([]byte, error) { return marshal(s) }

// MarshalJSON implements json.Marshaler.
func (s *FrozenSet) MarshalJSON() ([]byte, error) { return marshal(s) }

// MarshalJSON implements json.Marshaler.
func (o *Object) MarshalJSON() ([]byte, error) { return marshal(o) }

// MarshalJSON implements json.Marshaler.
func (m *Message) MarshalJSON() ([]byte, error) { return marshal(m) }

// MarshalJSON implements json.Marshaler.
func (l *LazyString) MarshalJSON() ([]byte, error) { return marshal(l) }
