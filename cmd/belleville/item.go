package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/belleville/belleville/djangocompat"
)

// maxItem is the size in bytes of the largest input, or of the largest line with --lines.
const maxItem = 8 << 20

// keyFlags are the flags of the commands that sign or verify, none of which needs a configuration.
type keyFlags struct {
	SecretKey string   `env:"BELLEVILLE_DJANGO_SECRET_KEY" placeholder:"KEY" help:"SECRET_KEY. Other users of this machine see a command line: the variable is safer."`
	Fallback  []string `sep:"none" placeholder:"KEY" help:"One of SECRET_KEY_FALLBACKS; may be repeated."`
	Lines     bool     `help:"Read one JSON object per line, which names what differs, and answer each with a line."`
}

// item is what a line says.
type item struct {
	SecretKey   *string         `json:"secret_key"`
	Fallbacks   []string        `json:"fallbacks"`
	Salt        *string         `json:"salt"`
	Serializer  *string         `json:"serializer"`
	SessionData *string         `json:"session_data"`
	Data        json.RawMessage `json:"data"`
	Value       json.RawMessage `json:"value"`
	MaxAge      *float64        `json:"max_age"`
	Compress    *bool           `json:"compress"`
	Password    *string         `json:"password"`
	Encoded     *string         `json:"encoded"`
}

// answer returns the JSON text of what a command makes of an item.
type answer func(it item) ([]byte, error)

// keys returns the keys of an item: those that it names, else those of the flags.
func (f *keyFlags) keys(it item) (djangocompat.Keys, error) {
	secret, fallbacks := f.SecretKey, f.Fallback
	if it.SecretKey != nil {
		secret = *it.SecretKey
	}
	if it.Fallbacks != nil {
		fallbacks = it.Fallbacks
	}
	if secret == "" {
		return djangocompat.Keys{}, &usageError{"--secret-key is missing"}
	}
	return djangocompat.NewKeys(secret, fallbacks...), nil
}

// missing says what an item must name.
func missing(name string) error { return fmt.Errorf("%s is missing", name) }

// or returns what an item names, or the flag's value.
func or(named *string, flag string) string {
	if named != nil {
		return *named
	}
	return flag
}

// readItem reads one item, without the newline at its end.
func readItem(in io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(in, maxItem+1))
	if err != nil {
		return nil, fmt.Errorf("read standard input: %w", err)
	}
	if len(text) > maxItem {
		return nil, fmt.Errorf("standard input is larger than %d bytes", maxItem)
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r")), nil
}

// answerLines answers each line of in with a line.
func answerLines(in io.Reader, out io.Writer, a answer) error {
	r, w := bufio.NewReader(in), bufio.NewWriter(out)
	for {
		line, err := readLine(r)
		if err == io.EOF {
			return w.Flush()
		}
		if err != nil && !errors.Is(err, errLongLine) {
			return fmt.Errorf("read standard input: %w", err)
		}
		if len(bytes.TrimSpace(line)) > 0 || err != nil {
			_, _ = w.Write(append(answered(line, err, a), '\n')) // Flush has the error
		}
		if r.Buffered() == 0 { // whoever writes the lines may wait for the answer
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
}

// errLongLine means that a line is longer than maxItem.
var errLongLine = fmt.Errorf("the line is longer than %d bytes", maxItem)

// readLine reads a line; of one that is too long it reads the rest without keeping it.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line) <= maxItem {
			line = append(line, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(line) == 0:
			return nil, io.EOF
		case err != nil && err != io.EOF:
			return nil, err
		case len(line) > maxItem:
			return nil, errLongLine
		}
		return line, nil
	}
}

// answered returns the answer to a line as JSON.
func answered(line []byte, err error, a answer) []byte {
	var it item
	if err == nil && json.Unmarshal(line, &it) != nil {
		err = errors.New("the line is not a JSON object of the expected form")
	}
	var data []byte
	if err == nil {
		data, err = a(it)
	}
	if err != nil {
		text, _ := json.Marshal(told(err)) // a string has a JSON form
		return fmt.Appendf(nil, `{"ok": false, "error": %s}`, text)
	}
	return fmt.Appendf(nil, `{"ok": true, "data": %s}`, data)
}

// told returns an error's text without the name of a package.
func told(err error) string {
	text := err.Error()
	for _, name := range []string{"djangocompat: ", "sessionstore: ", "pickle: ", "redislayer: ", "pglayer: "} {
		text = strings.TrimPrefix(text, name)
	}
	return text
}

// toldError is an error without the name of a package.
func toldError(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return err
	}
	return errors.New(told(err))
}

// printAnswer prints what a command makes of an item, a line.
func printAnswer(out io.Writer, it item, a answer) error {
	text, err := a(it)
	if err != nil {
		return toldError(err)
	}
	_, err = fmt.Fprintf(out, "%s\n", text)
	return err
}

// printText is printAnswer for a text, which is printed as it is.
func printText(out io.Writer, it item, a answer) error {
	quoted, err := a(it)
	if err != nil {
		return toldError(err)
	}
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, text)
	return err
}

// quoted returns a text as JSON.
func quoted(text string) []byte {
	b, _ := json.Marshal(text) // a string has a JSON form
	return b
}
