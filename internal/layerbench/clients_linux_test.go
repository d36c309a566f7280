package layerbench_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/netpoll"
)

// childVariable is set in the process that holds the clients: this test program again.
const childVariable = "LAYERBENCH_CLIENTS"

// clientOrder is what the clients are told.
type clientOrder struct {
	Open  string // the address of a unix socket, where there is something to open
	Group string
	N     int // clients to open, or messages to wait for

	Latencies bool // whether each message's is wanted
}

// clientReply is what they say when it is done.
type clientReply struct {
	Came      int
	Last      int64 // when the last message came, in nanoseconds since 1970
	Latencies []time.Duration
	Error     string
}

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	if err := holdClients(); err != nil && !errors.Is(err, io.EOF) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// holdClients obeys the parent until that closes the pipe.
func holdClients() error {
	poller, err := netpoll.Open(1024)
	if err != nil {
		return err
	}
	h := &holder{poller: poller, buf: make([]byte, 256<<10)}
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var o clientOrder
		if err := in.Decode(&o); err != nil {
			return err
		}
		r, err := h.obey(o)
		if err != nil {
			r.Error = err.Error()
		}
		if err := out.Encode(r); err != nil {
			return err
		}
	}
}

// holder holds WebSockets, with one goroutine and one epoll.
type holder struct {
	poller *netpoll.Poller
	events []netpoll.Event
	buf    []byte
	fds    []int
	rest   [][]byte // by client: a frame that has not come whole
}

func (h *holder) obey(o clientOrder) (clientReply, error) {
	if o.Open == "" {
		return h.await(o)
	}
	for range o.N {
		if err := h.connect(o.Open, o.Group); err != nil {
			return clientReply{}, err
		}
	}
	return clientReply{}, nil
}

// connect opens a WebSocket whose consumer joins a group.
func (h *holder) connect(address, group string) error {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if err := syscall.Connect(fd, &syscall.SockaddrUnix{Name: address}); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	head := "GET /" + group + " HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	if _, err := syscall.Write(fd, []byte(head)); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	var answer []byte
	for !bytes.Contains(answer, []byte("\r\n\r\n")) {
		n, err := syscall.Read(fd, h.buf)
		if err != nil || n == 0 {
			return fmt.Errorf("handshake: %d bytes, %w", n, err)
		}
		answer = append(answer, h.buf[:n]...)
	}
	if !bytes.HasPrefix(answer, []byte("HTTP/1.1 101")) {
		return fmt.Errorf("handshake: %.30q", answer)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		return err
	}
	h.fds, h.rest = append(h.fds, fd), append(h.rest, nil)
	return h.poller.Add(fd, uint64(len(h.fds)-1))
}

// await waits for messages, until there were as many as wanted or nothing comes any more.
func (h *holder) await(o clientOrder) (r clientReply, err error) {
	heard := time.Now()
	for r.Came < o.N && time.Since(heard) < silence {
		if h.events, err = h.poller.Wait(h.events, int(silence.Milliseconds())); err != nil {
			return r, err
		}
		if len(h.events) > 0 { // which a signal is not
			heard = time.Now()
		}
		for _, e := range h.events {
			if err := h.read(int(e.Token), o, &r); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

// silence is after how long nothing more is expected.
const silence = 10 * time.Second

// read reads all that has come to a client.
func (h *holder) read(client int, o clientOrder, r *clientReply) error {
	for {
		n, err := netpoll.Read(h.fds[client], h.buf)
		if errors.Is(err, netpoll.ErrAgain) {
			return nil
		}
		if err != nil || n == 0 {
			return fmt.Errorf("client %d was cut off: %w", client, err)
		}
		now := time.Now().UnixNano()
		data := append(h.rest[client], h.buf[:n]...)
		for text, more := nextFrame(&data); more; text, more = nextFrame(&data) {
			if text == nil {
				continue
			}
			r.Came, r.Last = r.Came+1, now
			if o.Latencies {
				sent, _, _ := bytes.Cut(text, []byte(" "))
				began, err := strconv.ParseInt(string(sent), 10, 64)
				if err != nil {
					return err
				}
				r.Latencies = append(r.Latencies, time.Duration(now-began))
			}
		}
		h.rest[client] = append(h.rest[client][:0], data...)
	}
}

// nextFrame takes a server's frame off data. The text is nil for one that is no message; more is false where the next
// frame has not come whole.
func nextFrame(data *[]byte) (text []byte, more bool) {
	d := *data
	if len(d) < 2 {
		return nil, false
	}
	head, size := 2, int(d[1]&0x7F)
	if size == 126 {
		if len(d) < 4 {
			return nil, false
		}
		head, size = 4, int(binary.BigEndian.Uint16(d[2:]))
	}
	if len(d) < head+size {
		return nil, false
	}
	*data = d[head+size:]
	if d[0]&0x0F != 1 {
		return nil, true
	}
	return d[head : head+size], true
}

// clients are the parent's end of such a process.
type clients struct {
	*testing.T
	address string
	orders  *json.Encoder
	replies *json.Decoder
}

func startClients(t *testing.T, address string) *clients {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), childVariable+"=1"), os.Stderr
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close() // which ends it
		_ = cmd.Wait()    // it was told to end, whatever it says
	})
	return &clients{t, address, json.NewEncoder(stdin), json.NewDecoder(stdout)}
}

// open opens WebSockets whose consumers join a group.
func (c *clients) open(group string, n int) {
	c.Helper()
	c.tell(clientOrder{Open: c.address, Group: group, N: n})
	c.reply()
}

// tell gives an order, whose reply is asked for later.
func (c *clients) tell(o clientOrder) {
	c.Helper()
	must(c.T, c.orders.Encode(o))
}

func (c *clients) reply() (r clientReply) {
	c.Helper()
	must(c.T, c.replies.Decode(&r))
	if r.Error != "" {
		c.Fatalf("the clients: %s", r.Error)
	}
	return r
}
