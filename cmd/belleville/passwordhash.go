package main

import (
	"github.com/belleville/belleville/djangocompat"
)

// passwordHash encodes a password.
type passwordHash struct {
	Hasher     string `default:"pbkdf2_sha256" placeholder:"NAME" help:"One of PASSWORD_HASHERS: Django's class or its algorithm."`
	Iterations int    `placeholder:"N" help:"How much work a check of PBKDF2 is. Default: as Django 5.2."`
	Lines      bool   `help:"Read one JSON object per line, and answer each with a line."`

	hashers *djangocompat.PasswordHashers
}

// Help is shown by --help.
func (*passwordHash) Help() string {
	return `Prints what belongs into the column password.

With --lines each line is an object with password.

Example:

  belleville password hash < password.txt`
}

// Run implements the command.
func (c *passwordHash) Run(p *program) error {
	if c.Iterations < 0 || c.Iterations > 20_000_000 {
		return &usageError{"--iterations is out of range"}
	}
	var err error
	c.hashers, err = djangocompat.NewPasswordHashers(djangocompat.HasherConfig{Hashers: []string{c.Hasher}, Iterations: c.Iterations})
	if err != nil {
		return &usageError{err.Error()}
	}
	if c.Lines {
		return answerLines(p.in, p.out, c.answer)
	}
	text, err := readItem(p.in)
	if err != nil {
		return err
	}
	password := string(text)
	return printText(p.out, item{Password: &password}, c.answer)
}

// answer encodes an item.
func (c *passwordHash) answer(it item) ([]byte, error) {
	if it.Password == nil {
		return nil, missing("password")
	}
	encoded, err := c.hashers.Hash(*it.Password)
	if err != nil {
		return nil, err
	}
	return quoted(encoded), nil
}
