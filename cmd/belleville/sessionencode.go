package main

import (
	"errors"

	"github.com/belleville/belleville/djangocompat"
)

// sessionEncode encodes session data.
type sessionEncode struct {
	keyFlags
	Salt       string `placeholder:"SALT" help:"The salt of a SessionStore class of the site's own."`
	Serializer string `default:"json" enum:"json,pickle" help:"json; pickle is not in this version."`
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
	if err := refusePickle(or(it.Serializer, c.Serializer)); err != nil {
		return nil, err
	}
	text := it.Data
	if text == nil {
		text = it.Value
	}
	if text == nil {
		return nil, missing("data")
	}
	n, err := parseJSON(text)
	if err != nil {
		return nil, err
	}
	if n, err = n.unrendered(); err != nil {
		return nil, err
	}
	data, err := djangocompat.ParseSessionData(n.pythonJSON(nil))
	if err != nil {
		return nil, errors.New("a session is a JSON object, and not too deep")
	}
	encoded, err := djangocompat.SessionCodec{Keys: keys, Salt: sessionSalt(or(it.Salt, c.Salt))}.Encode(data)
	if err != nil {
		return nil, err
	}
	return quoted(encoded), nil
}
