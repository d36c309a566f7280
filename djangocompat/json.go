package djangocompat

import "encoding/json"

func appendString(b []byte, s string) ([]byte, error) {
	t, err := json.Marshal(s)
	return append(b, t...), err
}
