package main

import (
	"encoding/json"
	"fmt"

	"github.com/belleville/belleville/djangocompat"
)

// passwordCheck checks a password.
type passwordCheck struct {
	Encoded string   `arg:"" optional:"" help:"What is in the column password. Without it standard input holds an object as with --lines."`
	Hashers []string `placeholder:"NAME,…" help:"PASSWORD_HASHERS, as Django's classes or their algorithms. Default: Django's."`
	Lines   bool     `help:"Read one JSON object per line, and answer each with a line."`

	hashers *djangocompat.PasswordHashers
}

// Help is shown by --help.
func (*passwordCheck) Help() string {
	return `Prints true or false; the exit code is 0 where the password is right, else 1.

With --lines each line is an object with password and encoded.

Example:

  belleville password check 'pbkdf2_sha256$…' < password.txt
  echo '{"password": "…", "encoded": "pbkdf2_sha256$…"}' | belleville password check --lines`
}

// Run implements the command.
func (c *passwordCheck) Run(p *program) error {
	var err error
	if c.hashers, err = djangocompat.NewPasswordHashers(djangocompat.HasherConfig{Hashers: c.Hashers}); err != nil {
		return &usageError{err.Error()}
	}
	if c.Lines {
		return answerLines(p.in, p.out, c.answer)
	}
	text, err := readItem(p.in)
	if err != nil {
		return err
	}
	var it item
	password := string(text)
	if c.Encoded != "" {
		it = item{Password: &password, Encoded: &c.Encoded}
	} else if json.Unmarshal(text, &it) != nil {
		return &usageError{"ENCODED is missing, and standard input is no JSON object"}
	}
	right, err := c.answer(it)
	if err != nil {
		return toldError(err)
	}
	if _, err := fmt.Fprintf(p.out, "%s\n", right); err != nil {
		return err
	}
	if string(right) != "true" {
		return errQuiet
	}
	return nil
}

// answer checks an item.
func (c *passwordCheck) answer(it item) ([]byte, error) {
	switch {
	case it.Password == nil:
		return nil, missing("password")
	case it.Encoded == nil:
		return nil, missing("encoded")
	}
	verdict, err := c.hashers.Check(*it.Password, *it.Encoded)
	if err != nil {
		return nil, err
	}
	return fmt.Append(nil, verdict != djangocompat.PasswordWrong), nil
}
