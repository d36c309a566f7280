package main

import (
	"encoding/json"

	"github.com/belleville/belleville/djangocompat"
)

// signingDumps signs a value as signing.dumps does.
type signingDumps struct {
	keyFlags
	Salt     string `default:"django.core.signing" placeholder:"SALT" help:"The salt. Default: ${default}."`
	Compress bool   `help:"Deflate the value if that makes it shorter."`
}

// Help is shown by --help.
func (*signingDumps) Help() string {
	return `Reads a JSON value, and prints what django.core.signing.loads accepts.

With --lines each line is an object with value and, where they differ, secret_key, salt and compress.

Example:

  export BELLEVILLE_DJANGO_SECRET_KEY='…'
  echo '{"user": 7}' | belleville signing dumps --salt invitations`
}

// Run implements the command.
func (c *signingDumps) Run(p *program) error {
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
	return printText(p.out, item{Value: text}, c.answer)
}

// answer signs an item.
func (c *signingDumps) answer(it item) ([]byte, error) {
	keys, err := c.keys(it)
	switch {
	case err != nil:
		return nil, err
	case it.Value == nil:
		return nil, missing("value")
	}
	n, err := parseJSON(it.Value)
	if err != nil {
		return nil, err
	}
	if n, err = n.unrendered(); err != nil {
		return nil, err
	}
	v, err := inOrder(n.pythonJSON(nil))
	if err != nil {
		return nil, err
	}
	compress := djangocompat.Plain
	if c.Compress || it.Compress != nil && *it.Compress {
		compress = djangocompat.Compress
	}
	signed, err := djangocompat.Dumps(keys, v, compress, djangocompat.SignerConfig{Salt: or(it.Salt, c.Salt)})
	if err != nil {
		return nil, err
	}
	return quoted(signed), nil
}

// inOrder returns the value of a JSON text so that it is written with its keys in the same order. A text with
// NaN in it, which encoding/json refuses, is written in the order of the keys.
func inOrder(text []byte) (any, error) {
	if json.Valid(text) {
		return json.RawMessage(text), nil
	}
	return djangocompat.ParseJSON(text)
}
