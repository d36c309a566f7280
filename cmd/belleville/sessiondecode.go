package main

import (
	"strings"

	"github.com/belleville/belleville/djangocompat"
)

// sessionDecode decodes session data.
type sessionDecode struct {
	keyFlags
	Salt         string `placeholder:"SALT" help:"The salt of a SessionStore class of the site's own."`
	Serializer   string `default:"json" enum:"json,pickle" help:"Ignored: the data tells."`
	RefuseLegacy bool   `help:"Refuse what Django 4.0 and later refuse: SHA-1, and the form of Django before 3.1."`
}

// Help is shown by --help.
func (*sessionDecode) Help() string {
	return `Reads what is in the column session_data, JSON or a pickle, and prints the session as JSON. Values that JSON lacks are written as {"$type": …}. Nothing in a pickle is run.

With --lines each line is an object with session_data and, where they differ, secret_key, fallbacks and salt.

Example:

  export BELLEVILLE_DJANGO_SECRET_KEY='…'
  psql -Atc 'SELECT session_data FROM django_session LIMIT 1' | belleville session decode`
}

// Run implements the command.
func (c *sessionDecode) Run(p *program) error {
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
	data := string(text)
	return printAnswer(p.out, item{SessionData: &data}, c.answer)
}

// answer decodes an item.
func (c *sessionDecode) answer(it item) ([]byte, error) {
	keys, err := c.keys(it)
	switch {
	case err != nil:
		return nil, err
	case it.SessionData == nil:
		return nil, missing("session_data")
	}
	codec := djangocompat.SessionCodec{
		Keys: keys, Salt: sessionSalt(or(it.Salt, c.Salt)), AcceptSHA1: !c.RefuseLegacy, RefuseLegacy: c.RefuseLegacy,
	}
	data, err := codec.DecodeAny(*it.SessionData)
	if err != nil {
		return nil, err
	}
	return appendSession(nil, data)
}

// sessionSalt returns the salt of session data. That of Django before 3.1 is the same without a period.
func sessionSalt(salt string) string {
	const module = "django.contrib.sessions"
	if class, ok := strings.CutPrefix(salt, module); ok && class != "" && class[0] != '.' {
		return module + "." + class
	}
	return salt
}
