package demo_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/belleville/belleville/cmd/belleville/demo"
)

func ExampleCommand_Run() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	output, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		command := demo.Command{Listen: "127.0.0.1:0"} // any free port
		ended <- command.Run(ctx, stdout, slog.Default())
	}()
	line, err := bufio.NewReader(output).ReadString('\n')
	fmt.Print(line)
	stop() // what Ctrl-C does
	fmt.Println(err, <-ended)
	// Output:
	// Belleville demo: a chat with the logins of a Django site
	// <nil> <nil>
}
