package broker

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
)

var (
	errProtocol = errors.New("this is not the Redis protocol")
	errTooMany  = errors.New("a command has too many arguments")
	errTooLong  = errors.New("an argument or a command is too long")
	errBuffers  = errors.New("too much is being read and written at the same time")
)

// bounds are how large a command may be.
type bounds struct {
	arguments int // how many
	argument  int // bytes of each
	command   int // bytes of all
}

// reader reads commands in RESP, version 2. Memory grows with the bytes that came, not with what they announce.
type reader struct {
	in      *bufio.Reader
	bounds  bounds
	buffers *budget // nil where nothing is counted
	taken   int64   // of buffers, for the command that is being read
}

const (
	// maxLine is the length of the longest line: a number, or an inline command.
	maxLine = 1 << 10

	// argumentCost is what an argument takes beside its bytes.
	argumentCost = 32
)

// command is a command with its arguments, the name being the first. It counts against the buffers until release.
type command struct {
	args    []string
	bytes   int64
	settles bool // whether no other one is read until it has run
}

// read returns the next command, which is not empty. An error that is not the connection's own is one of those above.
func (r *reader) read() (command, error) {
	for {
		c, err := r.readOne()
		if err != nil {
			r.giveBack()
			return command{}, err
		}
		if len(c.args) > 0 {
			r.taken = 0
			return c, nil
		}
	}
}

func (r *reader) readOne() (command, error) {
	first, err := r.in.ReadByte()
	if err != nil {
		return command{}, err
	}
	if first != '*' {
		if err := r.in.UnreadByte(); err != nil {
			return command{}, err
		}
		return r.inline()
	}
	n, err := r.number()
	switch {
	case err != nil:
		return command{}, err
	case n > r.bounds.arguments:
		return command{}, errTooMany
	}
	var args []string
	left := r.bounds.command
	for range n {
		arg, err := r.argument(left)
		if err != nil {
			return command{}, err
		}
		left -= len(arg)
		args = append(args, arg)
	}
	return command{args: args, bytes: r.taken}, nil
}

// inline reads a command that is a line of words, as what watches a server sends it. Others are refused: a page in a browser
// can have a POST sent here, whose body would be commands.
func (r *reader) inline() (command, error) {
	line, err := r.line()
	if err != nil {
		return command{}, err
	}
	words := strings.Fields(line)
	if len(words) > 0 && !slices.Contains([]string{"AUTH", "PING", "INFO", "QUIT"}, strings.ToUpper(words[0])) {
		return command{}, errProtocol
	}
	return command{args: words, bytes: r.taken}, nil
}

// argument reads "$", a length, and as many bytes.
func (r *reader) argument(left int) (string, error) {
	first, err := r.in.ReadByte()
	if err != nil {
		return "", err
	}
	if first != '$' {
		return "", errProtocol
	}
	n, err := r.number()
	switch {
	case err != nil:
		return "", err
	case n < 0:
		return "", errProtocol
	case n > r.bounds.argument || n > left:
		return "", errTooLong
	}
	if err := r.take(argumentCost); err != nil {
		return "", err
	}
	arg, err := r.body(n)
	if err != nil {
		return "", err
	}
	var end [2]byte
	if _, err := io.ReadFull(r.in, end[:]); err != nil {
		return "", err
	}
	if end != [2]byte{'\r', '\n'} {
		return "", errProtocol
	}
	return arg, nil
}

// body reads n bytes. What it takes beforehand is at most as much as has come.
func (r *reader) body(n int) (string, error) {
	var b []byte
	for len(b) < n {
		if _, err := r.in.Peek(1); err != nil {
			return "", err
		}
		more := min(n-len(b), max(r.in.Buffered(), len(b)))
		if err := r.take(int64(more)); err != nil {
			return "", err
		}
		from := len(b)
		b = append(b, make([]byte, more)...)
		if _, err := io.ReadFull(r.in, b[from:]); err != nil {
			return "", err
		}
	}
	return string(b), nil
}

func (r *reader) take(n int64) error {
	if r.buffers == nil {
		return nil
	}
	if !r.buffers.take(n) {
		return errBuffers
	}
	r.taken += n
	return nil
}

// giveBack ends the counting for a command that was not read to its end.
func (r *reader) giveBack() {
	if r.buffers != nil {
		r.buffers.add(-r.taken)
	}
	r.taken = 0
}

// number reads the rest of a line, which is a number.
func (r *reader) number() (int, error) {
	line, err := r.line()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(line, 10, 32)
	if err != nil {
		return 0, errProtocol
	}
	return int(n), nil
}

// line reads up to the end of a line, which it leaves out.
func (r *reader) line() (string, error) {
	b, err := r.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull), len(b) > maxLine:
		return "", errTooLong
	case err != nil:
		return "", err
	}
	return string(bytes.TrimSuffix(b[:len(b)-1], []byte{'\r'})), nil
}
