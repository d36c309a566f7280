package main

import (
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

// signingLoads verifies what signing.dumps made.
type signingLoads struct {
	keyFlags
	Salt       string   `default:"django.core.signing" placeholder:"SALT" help:"The salt. Default: ${default}."`
	MaxAge     *float64 `placeholder:"SECONDS" help:"Refuse what was signed longer ago."`
	AcceptSHA1 bool     `name:"accept-sha1" help:"Accept SHA-1 signatures too, as Django 3.1 and 3.2 do."`
}

// Help is shown by --help.
func (*signingLoads) Help() string {
	return `Verifies what django.core.signing.dumps made, and prints the value as JSON.

With --lines each line is an object with value and, where they differ, secret_key, fallbacks, salt and max_age.

Example:

  export BELLEVILLE_DJANGO_SECRET_KEY='…'
  belleville signing loads --salt invitations --max-age 86400 < token.txt`
}

// Run implements the command.
func (c *signingLoads) Run(p *program) error {
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
	return printAnswer(p.out, item{Value: quoted(string(text))}, c.answer)
}

// answer verifies an item.
func (c *signingLoads) answer(it item) ([]byte, error) {
	keys, err := c.keys(it)
	if err != nil {
		return nil, err
	}
	var signed string
	if it.Value == nil || json.Unmarshal(it.Value, &signed) != nil {
		return nil, errors.New("value is missing, or no text")
	}
	maxAge := c.MaxAge
	if it.MaxAge != nil {
		maxAge = it.MaxAge
	}
	cfg := djangocompat.SignerConfig{Salt: or(it.Salt, c.Salt), AcceptSHA1: c.AcceptSHA1}
	v, err := loads(keys, signed, maxAge, cfg)
	if err != nil {
		return nil, err
	}
	text, err := djangocompat.AppendJSON(nil, v)
	if err != nil {
		return nil, err
	}
	return readJSON(string(text)).rendered(nil), nil
}

// loads verifies a value, however long ago it was signed where maxAge is nil.
func loads(keys djangocompat.Keys, signed string, maxAge *float64, cfg djangocompat.SignerConfig) (any, error) {
	if maxAge == nil {
		return djangocompat.Loads(keys, signed, cfg)
	}
	const most = float64(math.MaxInt64 / int64(time.Second)) // what a Duration can hold
	seconds := max(-most, min(most, *maxAge))
	return djangocompat.LoadsMaxAge(keys, signed, time.Duration(seconds*float64(time.Second)), cfg)
}
