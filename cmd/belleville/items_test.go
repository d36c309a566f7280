package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/belleville/belleville/djangocompat"
)

// vector is one answer of Django.
type vector struct {
	Name   string
	Django []string
	Input  struct {
		Op           string
		Key          string
		SecretKey    *string  `json:"secret_key"`
		Fallbacks    []string `json:"secret_key_fallbacks"`
		FallbackKeys []string `json:"fallback_keys"`
		Salt         string
		Serializer   string
		SessionData  string `json:"session_data"`
		Signed       string
		Compress     bool
		Object       json.RawMessage
		Password     string
		Encoded      string
	}
	Expect struct {
		Value         json.RawMessage
		Allowed       []string
		ValueTagged   json.RawMessage `json:"value_tagged"`
		Result        json.RawMessage
		Error, Raises string
		JSONText      string `json:"json_text"`
		CheckPassword bool   `json:"check_password"`
	}
}

// vectors reads a file of testdata.
func vectors(t *testing.T, name string) []vector {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	for d := json.NewDecoder(z); ; {
		var v vector
		if err := d.Decode(&v); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
}

// answerOf is one line of a command's output.
type answerOf struct {
	OK    bool
	Data  json.RawMessage
	Error string
}

// ask runs a command with --lines, a line for each item, and returns the answers.
func ask(t *testing.T, items []map[string]any, args ...string) []answerOf {
	t.Helper()
	var in bytes.Buffer
	for _, it := range items {
		line, err := json.Marshal(it)
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	got := run(t, in.String(), append(args, "--lines")...)
	if got.code != 0 || got.err != "" {
		t.Fatalf("code %d, stderr %q", got.code, got.err)
	}
	var answers []answerOf
	s := bufio.NewScanner(strings.NewReader(got.out))
	s.Buffer(nil, maxItem)
	for s.Scan() {
		var a answerOf
		if err := json.Unmarshal(s.Bytes(), &a); err != nil {
			t.Fatalf("line %d is no JSON: %v", len(answers)+1, err)
		}
		answers = append(answers, a)
	}
	if len(answers) != len(items) {
		t.Fatalf("%d answers to %d lines", len(answers), len(items))
	}
	return answers
}

// same reports whether two JSON texts have the same value.
func same(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal(a, &x), json.Unmarshal(b, &y)); err != nil {
		t.Fatalf("%v: %s, %s", err, a, b)
	}
	return reflect.DeepEqual(x, y)
}

func TestSessionDecodeAnswersAsDjango(t *testing.T) {
	var cases []vector
	var items []map[string]any
	noDict := []string{"accept/json_list", "accept/json_string", "accept/json_null", "accept/json_number", "accept/json_true"}
	otherVersion := []string{
		"accept/sha1_signature @4.1,4.2,5.0,5.1,5.2",                // see TestRefuseLegacy
		"accept/fallback_first @3.2", "accept/fallback_second @3.2", // which has no SECRET_KEY_FALLBACKS
	}
	skipped := 0
	for _, v := range vectors(t, "sessions.jsonl.gz") {
		// A key that is no text cannot stand in JSON; a session that is no dict breaks Django's load.
		if v.Input.SecretKey == nil || slices.Contains(noDict, v.Name) || slices.Contains(otherVersion, v.Name) {
			skipped++
			continue
		}
		cases = append(cases, v)
		items = append(items, map[string]any{
			"session_data": v.Input.SessionData, "secret_key": *v.Input.SecretKey, "fallbacks": v.Input.Fallbacks,
			"salt": v.Input.Salt, "serializer": v.Input.Serializer,
		})
	}
	if len(cases) < 300 || skipped > 9 {
		t.Fatalf("%d cases, %d skipped", len(cases), skipped)
	}
	for i, got := range ask(t, items, "session", "decode") {
		v := cases[i]
		want := v.Expect.ValueTagged
		switch {
		case v.Input.Serializer == "pickle":
			want = v.Expect.Value
		case v.Expect.Raises != "":
			want = json.RawMessage("{}") // 3.2 fails where later versions refuse
		case want == nil && v.Input.Serializer == "json":
			want = readJSON(string(v.Expect.Value)).rendered(nil)
		}
		switch {
		case v.Input.Serializer == "pickle":
			if !got.OK || !same(t, dumped(t, got.Data), want) {
				t.Errorf("%s: %s %s, want %s", v.Name, got.Data, got.Error, want)
			}
		case !got.OK && string(want) != "{}": // {} is what Django makes of what it refuses
			t.Errorf("%s: %s, want %s", v.Name, got.Error, want)
		case got.OK && !same(t, got.Data, want):
			t.Errorf("%s: %s, want %s", v.Name, got.Data, want)
		}
	}
}

func TestRefuseLegacy(t *testing.T) {
	for _, v := range vectors(t, "sessions.jsonl.gz") {
		if v.Input.Serializer == "pickle" || v.Input.SecretKey == nil {
			continue
		}
		old := strings.HasPrefix(v.Name, "legacy/") || strings.HasPrefix(v.Name, "accept/sha1_signature")
		if !old {
			continue
		}
		it := map[string]any{"session_data": v.Input.SessionData, "secret_key": *v.Input.SecretKey}
		if got := ask(t, []map[string]any{it}, "session", "decode", "--refuse-legacy")[0]; got.OK || got.Error != "bad signature" {
			t.Errorf("%s: %+v, want a bad signature", v.Name, got)
		}
	}
}

func TestSessionEncodeReversesDecode(t *testing.T) {
	var texts []string
	var items []map[string]any
	for _, v := range vectors(t, "sessions.jsonl.gz") {
		if v.Expect.JSONText != "" {
			texts = append(texts, string(readJSON(v.Expect.JSONText).pythonJSON(nil))) // with each key once
			items = append(items, map[string]any{"data": json.RawMessage(readJSON(v.Expect.JSONText).rendered(nil))})
		}
	}
	codec := djangocompat.SessionCodec{Keys: djangocompat.NewKeys("k")}
	for i, got := range ask(t, items, "session", "encode", "--secret-key=k") {
		var encoded string
		if !got.OK || json.Unmarshal(got.Data, &encoded) != nil {
			t.Errorf("%s: %+v", texts[i], got)
			continue
		}
		data, err := codec.Decode(encoded)
		if err != nil || string(data.JSON()) != texts[i] {
			t.Errorf("%s became %s, %v", texts[i], data.JSON(), err)
		}
	}
}

func TestSigningLoadsAnswersAsDjango(t *testing.T) {
	for _, v := range vectors(t, "signing.jsonl.gz") {
		if v.Input.Op != "loads" {
			continue
		}
		got := ask(t, []map[string]any{{"value": v.Input.Signed, "secret_key": v.Input.Key, "fallbacks": v.Input.FallbackKeys, "salt": v.Input.Salt}}, "signing", "loads")[0]
		var want []byte
		if v.Expect.Error == "" {
			want = readJSON(string(v.Expect.Result)).rendered(nil)
		}
		switch {
		case v.Expect.Error != "" && (got.OK || got.Error != "bad signature"):
			t.Errorf("%s: %+v, want a bad signature", v.Name, got)
		case v.Expect.Error == "" && (!got.OK || !same(t, got.Data, want)):
			t.Errorf("%s: %+v, want %s", v.Name, got, want)
		}
	}
}

func TestSigningDumpsWritesAsDjango(t *testing.T) {
	for _, v := range vectors(t, "signing.jsonl.gz") {
		if v.Input.Op != "dumps" || v.Expect.JSONText == "" {
			continue
		}
		value := json.RawMessage(readJSON(v.Expect.JSONText).rendered(nil))
		it := map[string]any{"value": value, "secret_key": v.Input.Key, "salt": v.Input.Salt, "compress": v.Input.Compress}
		got := ask(t, []map[string]any{it}, "signing", "dumps")[0]
		var signed string
		if !got.OK || json.Unmarshal(got.Data, &signed) != nil {
			t.Errorf("%s: %+v", v.Name, got)
			continue
		}
		back := ask(t, []map[string]any{{"value": signed, "secret_key": v.Input.Key, "salt": v.Input.Salt}}, "signing", "loads")[0]
		if !back.OK || !same(t, back.Data, value) {
			t.Errorf("%s: loads gives %+v, want %s", v.Name, back, value)
		}
		payload, _, _ := strings.Cut(signed, ":")
		if text, err := base64.RawURLEncoding.DecodeString(payload); err == nil && string(text) != v.Expect.JSONText {
			t.Errorf("%s: signed %s, want %s", v.Name, text, v.Expect.JSONText)
		}
	}
}

func TestPasswordCheckAnswersAsDjango(t *testing.T) {
	all := vectors(t, "passwords.jsonl.gz")
	var items []map[string]any
	for _, v := range all {
		items = append(items, map[string]any{"password": v.Input.Password, "encoded": v.Input.Encoded})
	}
	for i, got := range ask(t, items, "password", "check") {
		v := all[i]
		switch {
		case got.OK && string(got.Data) != map[bool]string{true: "true", false: "false"}[v.Expect.CheckPassword]:
			t.Errorf("%s: %s, want %v", v.Name, got.Data, v.Expect.CheckPassword)
		case !got.OK && v.Expect.CheckPassword:
			t.Errorf("%s: %s, want true", v.Name, got.Error)
		}
	}
}

func TestItems(t *testing.T) {
	long := strings.Repeat("x", maxItem+1)
	signed := run(t, `{"user": 7}`, "signing", "dumps", "--secret-key=k", "--salt=s").out
	encoded := strings.TrimSpace(run(t, "hunter2\n", "password", "hash", "--iterations=1000").out)
	tests := []struct {
		name  string
		input string
		args  []string
		want  typed
	}{
		{"a signed value is read", signed, []string{"signing", "loads", "--secret-key=k", "--salt=s"}, typed{0, "{\"user\":7}\n", ""}},
		{"a fallback verifies", signed, []string{"signing", "loads", "--secret-key=new,k", "--fallback=a,b", "--fallback=k", "--salt=s"}, typed{0, "{\"user\":7}\n", ""}},
		{"another salt does not", signed, []string{"signing", "loads", "--secret-key=k"}, typed{1, "", "belleville: bad signature\n"}},
		{"what is older than it may be", signed, []string{"signing", "loads", "--secret-key=k", "--salt=s", "--max-age=-1"}, typed{1, "", "belleville: signature expired\n"}},
		{"an age beyond all bounds", signed, []string{"signing", "loads", "--secret-key=k", "--salt=s", "--max-age=1e300"}, typed{0, "{\"user\":7}\n", ""}},
		{"what is signed must be JSON", "{", []string{"signing", "dumps", "--secret-key=k"}, typed{1, "", "belleville: not JSON in UTF-8\n"}},
		{"a session is an object", "[1]", []string{"session", "encode", "--secret-key=k"}, typed{1, "", "belleville: a session is a JSON object, and not too deep\n"}},
		{"a session is not too deep", `{"a":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + "}", []string{"session", "encode", "--secret-key=k"}, typed{1, "", "belleville: a session is a JSON object, and not too deep\n"}},
		{"a session holds no bytes", `{"a":{"$type":"bytes","b64":""}}`, []string{"session", "encode", "--secret-key=k"}, typed{1, "", "belleville: a value has a \"$type\" that JSON sessions cannot hold\n"}},
		{"a tag is well formed", `{"a":{"$type":"int","value":"1e3"}}`, []string{"session", "encode", "--secret-key=k"}, typed{1, "", "belleville: a {\"$type\": …} is malformed\n"}},
		{"a pickled session is a dict", "[1]", []string{"session", "encode", "--secret-key=k", "--serializer=pickle"}, typed{1, "", "belleville: a session is a JSON object, and not too deep\n"}},
		{"a pickled session holds no models", `{"a":{"$type":"opaque","class":"x.Y"}}`, []string{"session", "encode", "--secret-key=k", "--serializer=pickle"}, typed{1, "", "belleville: JSON at offset 37: unsupported: a value of that kind cannot be made of JSON\n"}},
		{"what nobody signed", "canary", []string{"session", "decode", "--secret-key=canary"}, typed{1, "", "belleville: bad signature\n"}},
		{"input has a bound", long, []string{"session", "decode", "--secret-key=k"}, typed{1, "", "belleville: standard input is larger than 8388608 bytes\n"}},
		{"a line has a bound, and the next one is answered", long + "\n{}\n", []string{"password", "check", "--lines"}, typed{0, "{\"ok\": false, \"error\": \"the line is longer than 8388608 bytes\"}\n{\"ok\": false, \"error\": \"password is missing\"}\n", ""}},
		{"a line is an object", "[]\n\nnull", []string{"password", "hash", "--lines"}, typed{0, "{\"ok\": false, \"error\": \"the line is not a JSON object of the expected form\"}\n{\"ok\": false, \"error\": \"password is missing\"}\n", ""}},
		{"a line without the data", `{"secret_key":"k"}`, []string{"session", "decode", "--lines"}, typed{0, "{\"ok\": false, \"error\": \"session_data is missing\"}\n", ""}},
		{"a line without a key", `{"session_data":"x"}`, []string{"session", "decode", "--lines"}, typed{0, "{\"ok\": false, \"error\": \"--secret-key is missing\"}\n", ""}},
		{"the right password", "hunter2\n", []string{"password", "check", encoded}, typed{0, "true\n", ""}},
		{"the right password, as an object", `{"password":"hunter2","encoded":"` + encoded + `"}`, []string{"password", "check"}, typed{0, "true\n", ""}},
		{"a wrong password", "hunter3", []string{"password", "check", encoded}, typed{1, "false\n", ""}},
		{"an unusable password is nobody's", "hunter2", []string{"password", "check", "!abc"}, typed{1, "false\n", ""}},
		{"a form that is not known", "hunter2", []string{"password", "check", "rot13$1$a$b"}, typed{1, "", "belleville: unknown password format\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := run(t, tt.input, tt.args...); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestSecretKeyFromTheEnvironment(t *testing.T) {
	t.Setenv("BELLEVILLE_DJANGO_SECRET_KEY", "k")
	signed := run(t, `1`, "signing", "dumps")
	if got := run(t, signed.out, "signing", "loads"); got != (typed{0, "1\n", ""}) {
		t.Errorf("got %+v, want 1", got)
	}
	if help := run(t, "", "signing", "dumps", "--help").out; strings.Contains(help, "=k") {
		t.Error("--help shows the key")
	}
}

func TestRendered(t *testing.T) {
	tests := []struct {
		name string
		text string // as Django wrote it
		want string
	}{
		{"what JSON has is itself", `{"b":[null,true,1,-1.50,"é"],"a":{}}`, `{"b":[null,true,1,-1.5,"é"],"a":{}}`},
		{"the last exact integers", `[9007199254740991,-9007199254740991]`, `[9007199254740991,-9007199254740991]`},
		{"the first that are not", `[9007199254740992,-9007199254740992]`, `[{"$type":"int","value":"9007199254740992"},{"$type":"int","value":"-9007199254740992"}]`},
		{"a zero has no sign", `[-0,-0.0]`, `[0,-0.0]`},
		{"floats as Python prints them", `[1e2,1E-7,1e400,0.1]`, `[100.0,1e-07,{"$type":"float","value":"inf"},0.1]`},
		{"pairs are one character", `["\ud83d\ude00"]`, `["😀"]`},
		{"halves are none", `["a\ud83d"]`, `[{"$type":"str","code_points":[97,55357]}]`},
		{"halves the wrong way round", `["\ude00\ud83d"]`, `[{"$type":"str","code_points":[56832,55357]}]`},
		{"a key that begins with $", `{"$type":1,"a":2}`, `{"$type":"dict","items":[["$type",1],["a",2]]}`},
		{"a key with half a pair", `{"\ud800":1}`, `{"$type":"dict","items":[[{"$type":"str","code_points":[55296]},1]]}`},
		{"the last of equal keys, where the first stood", `{"a":{"x":1,"y":2,"x":3}}`, `{"a":{"x":3,"y":2}}`},
		{"a terminal is not written to", `["\u001b[2J\u009b\u202e\u00a0\u007f"]`, `["\u001b[2J\u009b\u202e\u00a0\u007f"]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := readJSON(tt.text)
			got := n.rendered(nil)
			if string(got) != tt.want {
				t.Fatalf("rendered %s, want %s", got, tt.want)
			}
			parsed, err := parseJSON(got)
			if err != nil {
				t.Fatal(err)
			}
			back, err := parsed.unrendered()
			if err != nil || !slices.Equal(back.pythonJSON(nil), n.pythonJSON(nil)) {
				t.Errorf("it stands for %s, %v; want %s", back.pythonJSON(nil), err, n.pythonJSON(nil))
			}
		})
	}
}

func FuzzRendering(f *testing.F) {
	for _, s := range []string{`{"a":[1,1.0,"\ud800"]}`, `{"$type":"int","value":"7"}`, `{"$type":"dict","items":[["a",{"$type":"str","code_points":[55296,56320]}]]}`, `"\"\\\/\b\f\n\r\t"`, `[1e999,-0]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := parseJSON(text)
		if err != nil {
			return
		}
		if n, err = n.unrendered(); err != nil {
			return
		}
		python := n.pythonJSON(nil)
		if _, err := djangocompat.ParseJSON(python); err != nil {
			return // too deep, or with an integer that is too long
		}
		again, err := parseJSON(readJSON(string(python)).rendered(nil))
		if err != nil {
			t.Fatalf("the rendering of %s is no JSON", python)
		}
		back, err := again.unrendered()
		if err != nil || !slices.Equal(back.pythonJSON(nil), python) {
			t.Errorf("%s came back as %s, %v", python, back.pythonJSON(nil), err)
		}
	})
}
