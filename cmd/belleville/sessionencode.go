package main

import (
	"errors"
	"strings"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/pickle"
)

// sessionEncode encodes session data.
type sessionEncode struct {
	keyFlags
	Salt       string `placeholder:"SALT" help:"The salt of a SessionStore class of the site's own."`
	Serializer string `default:"json" enum:"json,pickle" help:"What SESSION_SERIALIZER of the site is: json or pickle."`
}

// Help is shown by --help.
func (*sessionEncode) Help() string {
	return `Reads a session as "session decode" prints it, and prints what belongs into the column session_data.

With --lines each line is an object with data and, where they differ, secret_key, salt and serializer.

Example:

  export BELLEVILLE_DJANGO_SECRET_KEY='…'
  echo '{"cart": [1, 2]}' | belleville session encode`
}

// Run implements the command.
func (c *sessionEncode) Run(p *program) error {
	if c.Lines {
		return answerLines(p.in, p.out, c.answer)
	}
	if _, err := c.keys(item{}); err != nil {
		return err
	}
	text, err := readItem(p.in)
	if err != nil {
		return err
	}
	return printText(p.out, item{Data: text}, c.answer)
}

// answer encodes an item.
func (c *sessionEncode) answer(it item) ([]byte, error) {
	keys, err := c.keys(it)
	if err != nil {
		return nil, err
	}
	text := it.Data
	if text == nil {
		text = it.Value
	}
	if text == nil {
		return nil, missing("data")
	}
	var data djangocompat.SessionData
	codec := djangocompat.SessionCodec{Keys: keys, Salt: sessionSalt(or(it.Salt, c.Salt))}
	switch or(it.Serializer, c.Serializer) {
	case "json":
		data, err = jsonSession(text)
	case "pickle":
		codec.Serializer = djangocompat.PickleSerializer
		data, err = pickledSession(text)
	default:
		err = errors.New("the serializer is neither json nor pickle")
	}
	if err != nil {
		return nil, err
	}
	encoded, err := codec.Encode(data)
	if err != nil {
		return nil, err
	}
	return quoted(encoded), nil
}

// jsonSession reads a session of the JSON serializer.
func jsonSession(text []byte) (djangocompat.SessionData, error) {
	n, err := parseJSON(text)
	if err != nil {
		return djangocompat.SessionData{}, err
	}
	if n, err = n.unrendered(); err != nil {
		return djangocompat.SessionData{}, err
	}
	data, err := djangocompat.ParseSessionData(n.pythonJSON(nil))
	if err != nil {
		return djangocompat.SessionData{}, errNoSession
	}
	return data, nil
}

// errNoSession means that the input is no session.
var errNoSession = errors.New("a session is a JSON object, and not too deep")

// pickledSession reads a session of the pickle serializer.
func pickledSession(text []byte) (djangocompat.SessionData, error) {
	v, err := pickle.ParseJSON(text, pickle.Config{MaxBytes: maxItem})
	if err != nil {
		return djangocompat.SessionData{}, errors.New(strings.ReplaceAll(err.Error(), "pickle: ", ""))
	}
	if _, ok := v.(*pickle.Dict); !ok {
		return djangocompat.SessionData{}, errNoSession
	}
	pickled, err := pickle.Encode(v)
	if err != nil {
		return djangocompat.SessionData{}, err
	}
	return djangocompat.ParsePickledSession(pickled, 2*maxItem)
}
