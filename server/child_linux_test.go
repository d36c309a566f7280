package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// roleVariable names what this test program is started as, when it is another test's child.
const roleVariable = "SERVER_TEST_CHILD"

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	obey, err := newRole(role)
	if err == nil {
		err = answerOrders(obey)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// order is what a child does when it is told to.
type order struct {
	Verb string
	Args json.RawMessage
}

// reply is what it says when that is done.
type reply struct {
	Error string
	Value any
}

// role does what a child of one kind is told to.
type role func(verb string, args json.RawMessage) (any, error)

// newRole makes a role by its name.
func newRole(name string) (role, error) {
	if name == "server" {
		return newServerRole(), nil
	}
	return benchRole(name)
}

// answerOrders obeys the parent until that closes the pipe, as it does when it ends.
func answerOrders(obey role) error {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var o order
		if err := in.Decode(&o); err != nil {
			return nil // the parent is done
		}
		var r reply
		value, err := obey(o.Verb, o.Args)
		if r.Value = value; err != nil {
			r.Error = err.Error()
		}
		if err := out.Encode(r); err != nil {
			return err
		}
	}
}

// child is another process of this test program.
type child struct {
	role string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

// startChild starts a child, which ends with the test. The files are its descriptors from 3 on.
func startChild(t testing.TB, role string, files ...*os.File) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr, cmd.ExtraFiles = os.Stderr, files
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the %s process: %v", role, err)
		}
	})
	return &child{role, cmd, in, bufio.NewReader(out)}
}

// do tells the child to do something, and decodes what it says into value, unless that is nil.
func (c *child) do(t testing.TB, verb string, args, value any) {
	t.Helper()
	raw, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(c.in).Encode(order{verb, raw}); err != nil {
		t.Fatalf("the %s process: %v", c.role, err)
	}
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("the %s process, told to %s: %v", c.role, verb, err)
	}
	r := reply{Value: value}
	if err := json.Unmarshal(line, &r); err != nil {
		t.Fatalf("the %s process, told to %s: %v", c.role, verb, err)
	}
	if r.Error != "" {
		t.Fatalf("the %s process, told to %s: %s", c.role, verb, r.Error)
	}
}
