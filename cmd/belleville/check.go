package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/belleville/belleville/config"
)

// checkPatience bounds all of a check, whatever is away.
const checkPatience = 14 * time.Second

// checkCommand proves that a configuration works.
type checkCommand struct {
	configFlag
	jsonFlag
}

// Help is shown by --help.
func (*checkCommand) Help() string {
	return `Proves that the configuration, the database, the keys, the layer and the limits work, and prints a line for each: "ok", "warning" or "failed", what it is about, what is wrong, and what to do. The exit code is 1 if anything failed. It takes fifteen seconds at most, shows no secret, and changes nothing; it sends itself a message through the layer.

Example:

  belleville check
  belleville check --config /etc/belleville.toml --json`
}

// How a check ended.
const (
	checkOK      = "ok"
	checkWarning = "warning"
	checkFailed  = "failed"
)

// A finding is what one check found.
type finding struct {
	Status  string `json:"status"`
	What    string `json:"what"`
	Problem string `json:"problem"` // or what is right
	Remedy  string `json:"remedy,omitempty"`
}

// String returns the finding as a line.
func (f finding) String() string {
	line := f.Status + " " + f.What + ": " + f.Problem
	if f.Remedy != "" {
		line += "; " + f.Remedy
	}
	return line
}

// findings are what a few checks found, which ran one after the other.
type findings []finding

func (fs *findings) ok(what, text string) {
	*fs = append(*fs, finding{checkOK, what, text, ""})
}

func (fs *findings) warn(what, problem, remedy string) {
	*fs = append(*fs, finding{checkWarning, what, problem, remedy})
}

func (fs *findings) fail(what, problem, remedy string) {
	*fs = append(*fs, finding{checkFailed, what, problem, remedy})
}

// Run implements the command.
func (c *checkCommand) Run(ctx context.Context, p *program) error {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	found := c.check(ctx, p)
	failed := false
	for _, f := range found {
		failed = failed || f.Status == checkFailed
		if c.JSON {
			continue
		}
		if _, err := fmt.Fprintln(p.out, f); err != nil {
			return err
		}
	}
	if c.JSON {
		if err := printJSON(p.out, found); err != nil {
			return err
		}
	}
	if failed {
		return errQuiet
	}
	return nil
}

// check runs all the checks: those of the database, of the layer and of this machine side by side.
func (c *checkCommand) check(ctx context.Context, p *program) findings {
	var found findings
	cfg, err := c.load(p)
	if err != nil {
		found.mistakes(err)
		return found
	}
	found.configuration(c.Config, cfg)
	parts := []func(context.Context, *config.Config) findings{checkDatabase, checkLayer, checkMachine}
	results := make([]findings, len(parts))
	var running sync.WaitGroup
	for i, part := range parts {
		running.Go(func() { results[i] = part(ctx, cfg) })
	}
	running.Wait()
	for _, r := range results {
		found = append(found, r...)
	}
	return found
}

// mistakes notes everything that is wrong with a configuration.
func (fs *findings) mistakes(err error) {
	list, ok := errors.AsType[config.Mistakes](err)
	if !ok {
		fs.fail("configuration", told(err), "")
		return
	}
	for _, m := range list {
		fs.fail(m.Key, m.Problem, m.Remedy)
	}
}

// configuration notes what is right and wrong with a configuration that was read.
func (fs *findings) configuration(path string, cfg *config.Config) {
	warnings := cfg.Warnings()
	for _, w := range append(warnings, cfg.SharedGroups()...) {
		key, text, _ := strings.Cut(w, ": ")
		problem, remedy, _ := strings.Cut(text, "; ")
		fs.warn(key, problem, remedy)
	}
	for _, file := range []struct{ what, path string }{{"configuration", path}, {"django.secret_key_file", cfg.Django.SecretKeyFile}} {
		info, err := os.Stat(file.path)
		if err == nil && info.Mode().Perm()&0o007 != 0 {
			fs.warn(file.what, "every user of this machine can read the file, and a secret may be in it", "chmod 0600, or 0640 for the group of the server")
		}
	}
	fs.ok("configuration", fmt.Sprintf("every key of it is right; %s", count(len(cfg.Routes), "route")))
}

// count says how many there are of a thing.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
