package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/belleville/belleville/cmd/belleville/bench"
	"github.com/belleville/belleville/cmd/belleville/demo"
	"github.com/belleville/belleville/config"
)

// The exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

// commands are what can be typed behind "belleville".
type commands struct {
	Serve     serveCommand     `cmd:"" help:"Serve the routes of the configuration."`
	Demo      demo.Command     `cmd:"" help:"Start a chat with two users to log in as; nothing else is needed."`
	Init      initCommand      `cmd:"" help:"Write a configuration from a Django project."`
	Check     checkCommand     `cmd:"" help:"Prove that the configuration, the database, the keys and the layer work."`
	Kick      kickCommand      `cmd:"" help:"Close connections of a running server."`
	Session   sessionCommands  `cmd:"" help:"Look into Django's sessions."`
	Signing   signingCommands  `cmd:"" help:"Sign and verify as django.core.signing does."`
	Password  passwordCommands `cmd:"" help:"Check and make Django's encoded passwords."`
	Send      sendCommand      `cmd:"" help:"Send an event to a channel."`
	GroupSend groupSendCommand `cmd:"" help:"Send an event to a group."`
	Layer     layerCommands    `cmd:"" help:"Look into the channel layer."`
	Migrate   migrateCommands  `cmd:"" help:"Make and remove optional database objects."`
	Bench     bench.Command    `cmd:"" help:"Measure a WebSocket server with many clients."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
}

// Help is shown by --help.
func (*commands) Help() string {
	return `Example:

  belleville demo
  belleville serve --config belleville.toml`
}

// program is one run of the program.
type program struct {
	in      io.Reader
	out     io.Writer
	err     io.Writer
	environ []string

	// lifetime returns the context of a command that lasts. It is asked for by those alone: others end
	// as any program does.
	lifetime func() context.Context
}

// usageError is an error in what was typed.
type usageError struct{ problem string }

// Error implements error.
func (e *usageError) Error() string { return e.problem }

// errQuiet is a failure that has been told.
var errQuiet = errors.New("belleville: failed")

// run does what was typed and returns the exit code.
func (p *program) run(args []string) int {
	exited := -1
	parser, err := kong.New(new(commands),
		kong.Name("belleville"),
		kong.Description("WebSockets beside a Django site."),
		kong.Writers(p.out, p.err),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Bind(p),
		kong.BindTo(p.out, (*io.Writer)(nil)),
		kong.Bind(bench.Progress{Writer: terminal(p.err)}),
		kong.Bind(slog.New(slog.NewTextHandler(p.err, nil))),
		kong.BindToProvider(func() (context.Context, error) { return p.lifetime(), nil }),
		kong.Vars{"config": config.DefaultPath},
	)
	if err != nil {
		return p.fail(err)
	}
	typed, err := parser.Parse(args)
	if exited >= 0 {
		return exited // --help was printed
	}
	if e, ok := errors.AsType[*kong.ParseError](err); ok {
		typed = e.Context
	}
	if err != nil {
		err = &usageError{usageProblem(err)}
	} else {
		err = typed.Run()
	}
	if wrong, ok := errors.AsType[*usageError](err); ok {
		fmt.Fprintf(p.err, "belleville: %s; see belleville%s --help\n", wrong.problem, commandOf(typed))
		return exitUsage
	}
	return p.fail(err)
}

// commandOf returns the command that was typed, as far as it is one.
func commandOf(typed *kong.Context) string {
	command := ""
	if typed == nil {
		return command
	}
	for _, part := range typed.Path {
		if part.Command != nil {
			command += " " + part.Command.Name
		}
	}
	return command
}

// terminal returns w where that is one, else nil.
func terminal(w io.Writer) io.Writer {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	return w
}

// fail tells an error, and returns the exit code.
func (p *program) fail(err error) int {
	if err == nil {
		return 0
	}
	if !errors.Is(err, errQuiet) {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintf(p.err, "belleville: %s\n", line)
		}
	}
	return exitFailure
}

// usageProblem returns what kong says, without an argument that may be a secret that was typed in the wrong
// place.
func usageProblem(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	for _, beginning := range []string{"unexpected argument", "unknown flag"} {
		if after, ok := strings.CutPrefix(text, beginning); ok {
			word, _, _ := strings.Cut(strings.TrimSpace(after), "=")
			if strings.HasPrefix(word, "--") {
				return beginning + " " + word
			}
			return beginning
		}
	}
	return text
}

// configFlag names the configuration.
type configFlag struct {
	Config string `default:"${config}" env:"BELLEVILLE_CONFIG" placeholder:"FILE" help:"The configuration. Default: ${config}."`
}

// load reads the configuration.
func (f *configFlag) load(p *program) (*config.Config, error) {
	return config.Load(f.Config, p.environ)
}
