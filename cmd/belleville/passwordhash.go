package main

import (
	"github.com/belleville/belleville/djangocompat"
)

// passwordHash encodes a password.
type passwordHash struct {
	Iterations int  `placeholder:"N" help:"How much work a check is. Default: as Django 5.2."`
	Lines      bool `help:"Read one JSON object per line, and answer each with a line."`
}

// Help is shown by --help.
func (*passwordHash) Help() string {
	return `Prints what belongs into the column password, as pbkdf2_sha256.

With --lines each line is an object with password.

Example:

  belleville password hash < password.txt`
}

// Run implements the command.
func (c *passwordHash) Run(p *program) error {
	if c.Iterations < 0 || c.Iterations > 100_000_000 {
		return &usageError{"--iterations is out of range"}
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
	return quoted(djangocompat.HashPassword(*it.Password, djangocompat.PasswordConfig{Iterations: c.Iterations})), nil
}
