package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/belleville/belleville/config"
)

//go:embed init.py
var initScript string

// initCommand writes a configuration from a Django project.
type initCommand struct {
	Settings  string `required:"" placeholder:"MODULE" help:"The site's settings, as in mysite.settings."`
	Python    string `default:"python3" placeholder:"FILE" help:"The site's own Python. Default: ${default}."`
	Output    string `default:"${config}" placeholder:"FILE" help:"What to write. Default: ${default}."`
	SecretKey string `default:"file" enum:"file,environment" help:"Where SECRET_KEY goes: a file beside the output, or nowhere, for BELLEVILLE_DJANGO_SECRET_KEY. Default: ${default}."`
	Force     bool   `help:"Replace files that are there."`
}

// Help is shown by --help.
func (*initCommand) Help() string {
	return `Runs the site's own Python once, in the folder of manage.py and with the environment that the site has, reads the settings and the user model, and writes a configuration that says where each value came from. It asks no database, and changes nothing on the site. Both files are for their owner alone; no secret is printed. What Belleville cannot do is refused, a line for each.

Example:

  belleville init --settings mysite.settings --python .venv/bin/python
  belleville check`
}

// initPatience is how long the site's Python may take.
const initPatience = time.Minute

// Run implements the command.
func (c *initCommand) Run(ctx context.Context, p *program) error {
	keyFile := ""
	if c.SecretKey == "file" {
		path, err := filepath.Abs(strings.TrimSuffix(c.Output, ".toml") + ".secret_key")
		if err != nil {
			return err
		}
		keyFile = path
	}
	for _, path := range []string{c.Output, keyFile} {
		if _, err := os.Lstat(path); err == nil && path != "" && !c.Force {
			return fmt.Errorf("%s is there already; --force replaces it, --output names another file", path)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, initPatience)
	defer cancel()
	facts, err := c.ask(ctx, p)
	if err != nil {
		return err
	}
	if len(facts.Refused) > 0 {
		return facts.refusal()
	}
	if strings.TrimRight(facts.SecretKey, "\r\n") != facts.SecretKey {
		keyFile = "" // a file has no way to say so
	}
	text, notes, err := facts.configuration(keyFile, c.SecretKey)
	if err != nil {
		return err
	}
	if keyFile != "" {
		if err := writePrivate(keyFile, facts.SecretKey+"\n"); err != nil {
			return err
		}
	}
	if err := writePrivate(c.Output, text); err != nil {
		return err
	}
	for _, n := range notes {
		fmt.Fprintln(p.err, "belleville: "+n)
	}
	_, err = fmt.Fprintf(p.out, "wrote %s; next: belleville check --config %s\n", c.Output, c.Output)
	return err
}

// maxFacts bounds what the site's Python may say.
const maxFacts = 1 << 20

// ask runs the site's Python. What the site itself prints is not shown: it may hold a secret.
func (c *initCommand) ask(ctx context.Context, p *program) (*siteFacts, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd := exec.CommandContext(ctx, c.Python, "-c", initScript, c.Settings)
	cmd.ExtraFiles = []*os.File{w} // descriptor 3
	cmd.Env = p.environ
	if err := cmd.Start(); err != nil {
		_ = w.Close()
		return nil, fmt.Errorf("%s cannot be started; name the site's own Python with --python, as in .venv/bin/python", c.Python)
	}
	_ = w.Close()
	done := context.AfterFunc(ctx, func() { _ = r.Close() }) // also where the site leaves a process behind
	defer done()
	text, readErr := io.ReadAll(io.LimitReader(r, maxFacts))
	err = cmd.Wait()
	facts := new(siteFacts)
	switch {
	case ctx.Err() != nil:
		return nil, errors.New("the site's Python took too long")
	case readErr != nil || json.Unmarshal(text, facts) != nil:
		return nil, errors.New("the site's Python did not get to its end; see what manage.py check says, with the same Python and environment")
	case err != nil:
		return nil, errors.New("the site's Python failed; see what manage.py check says, with the same Python and environment")
	}
	return facts, nil
}

// writePrivate writes a file that only its owner reads, in one step.
func writePrivate(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".belleville-*") // with mode 0600
	if err != nil {
		return cannotWrite(path, err)
	}
	defer os.Remove(f.Name()) // unless it was renamed
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return cannotWrite(path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return cannotWrite(path, err)
	}
	return nil
}

// cannotWrite says why a file was not written.
func cannotWrite(path string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return fmt.Errorf("%s cannot be written: %w", path, err)
}

// validated returns what is wrong with a configuration, with the names of the settings it came from.
func validated(text string) error {
	_, err := config.Parse([]byte(text), nil)
	return err
}
