package chaos_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// socket is a client's WebSocket, of a session.
type socket struct {
	login *login
	conn  net.Conn
	ended chan struct{} // closed when its reader has ended

	mu     sync.Mutex // guards the fields below
	code   int        // of the close frame, 0 before
	closed time.Time  // when that came
	late   int        // messages behind it
	gone   time.Time  // when the connection ended
	why    error      // how
	newest int64      // when the youngest message was sent, in Unix milliseconds
}

// errStatus is a handshake that was refused.
type errStatus struct {
	status     int
	retryAfter string
}

func (e *errStatus) Error() string { return fmt.Sprint("refused with ", e.status) }

// handshakeTimeout bounds what a client waits for an answer.
const handshakeTimeout = 30 * time.Second

// dial opens a WebSocket of a session, or of nobody where l is nil, as a proxy does for the address of a client.
func dial(addr, path string, l *login, client string) (*socket, error) {
	conn, err := net.DialTimeout("tcp", addr, handshakeTimeout)
	if err != nil {
		return nil, err
	}
	s := &socket{login: l, conn: conn, ended: make(chan struct{})}
	in := bufio.NewReaderSize(conn, 512)
	if err := s.shakeHands(in, path, client); err != nil {
		_ = conn.Close()
		return nil, err
	}
	go s.read(in)
	return s, nil
}

func (s *socket) shakeHands(in *bufio.Reader, path, client string) error {
	headers := ""
	if s.login != nil {
		headers = "Cookie: sessionid=" + s.login.Key + "\r\n"
	}
	if client != "" {
		headers += "X-Forwarded-For: " + client + "\r\n"
	}
	return s.shakeHandsWith(in, path, headers)
}

// shakeHandsWith is shakeHands with lines in the head.
func (s *socket) shakeHandsWith(in *bufio.Reader, path, headers string) error {
	_ = s.conn.SetDeadline(time.Now().Add(handshakeTimeout)) // an open connection takes it
	_, err := io.WriteString(s.conn, "GET "+path+" HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+headers+"\r\n")
	if err != nil {
		return err
	}
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	_ = r.Body.Close()
	if r.StatusCode != http.StatusSwitchingProtocols {
		return &errStatus{r.StatusCode, r.Header.Get("Retry-After")}
	}
	return s.conn.SetDeadline(time.Time{})
}

// read reads frames until the connection ends.
func (s *socket) read(in *bufio.Reader) {
	defer close(s.ended)
	defer s.conn.Close()
	for {
		opcode, payload, err := readFrame(in)
		now := time.Now()
		if err != nil {
			s.mu.Lock()
			s.gone, s.why = now, err
			s.mu.Unlock()
			return
		}
		s.mu.Lock()
		switch {
		case opcode == 0x8 && len(payload) >= 2 && s.code == 0:
			s.code, s.closed = int(binary.BigEndian.Uint16(payload)), now
		case opcode == 0x1 && s.code != 0:
			s.late++
		case opcode == 0x1:
			s.newest = max(s.newest, stampOf(payload))
		}
		s.mu.Unlock()
		switch opcode {
		case 0x8:
			_ = s.write(0x8, payload) // the server ends the connection then
		case 0x9:
			_ = s.write(0xa, payload) // it may just be closing
		}
	}
}

// readFrame reads a frame of a server, which are short here.
func readFrame(in *bufio.Reader) (opcode byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return 0, nil, err
	}
	if head[1] > 125 {
		return 0, nil, errors.New("a long frame")
	}
	payload = make([]byte, head[1])
	_, err = io.ReadFull(in, payload)
	return head[0] & 0xf, payload, err
}

// stampOf returns the number in a message {"t":123}.
func stampOf(payload []byte) int64 {
	_, number, _ := bytes.Cut(payload, []byte(`"t":`))
	n, _ := strconv.ParseInt(strings.TrimRight(string(number), "}"), 10, 64) // 0 where it is another message
	return n
}

// write sends a frame, masked with zeros.
func (s *socket) write(opcode byte, payload []byte) error {
	frame := append([]byte{0x80 | opcode, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
	_, err := s.conn.Write(frame)
	return err
}

// isOpen reports whether the connection has not ended.
func (s *socket) isOpen() bool {
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// end returns how it was closed, as far as it was.
func (s *socket) end() (code int, at time.Time, late int, newest int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.code, s.closed, s.late, s.newest
}

// crowd is a number of clients.
type crowd struct {
	t       *testing.T
	sockets []*socket
}

// arrival is how clients came.
type arrival struct {
	took    time.Duration // until all were in
	p99     time.Duration // of the time that one needed, with all its tries
	tries   int
	refused map[string]int // by what it was refused with
}

// String returns it in a few words.
func (a arrival) String() string {
	text := fmt.Sprintf("all in after %s, p99 %s, %d tries", seconds(a.took), seconds(a.p99), a.tries)
	if len(a.refused) > 0 {
		text += fmt.Sprint(", refused: ", a.refused)
	}
	return text
}

// enter opens sockets for each login, many at a time. One that is refused tries again after a moment.
func enter(t *testing.T, addr string, logins []*login, each int) (*crowd, arrival) {
	t.Helper()
	c := &crowd{t: t, sockets: make([]*socket, len(logins)*each)}
	t.Cleanup(c.leave)
	var mu sync.Mutex // guards a and times
	a, times := arrival{refused: make(map[string]int)}, []time.Duration(nil)
	var entering sync.WaitGroup
	began := time.Now()
	for i := range c.sockets {
		entering.Go(func() {
			for {
				s, err := dial(addr, "/ws/room/", logins[i/each], "")
				mu.Lock()
				a.tries++
				if err != nil {
					a.refused[kindOfRefusal(err)]++
				} else {
					c.sockets[i] = s
					times = append(times, time.Since(began))
				}
				mu.Unlock()
				if err == nil || time.Since(began) > 2*time.Minute {
					return
				}
				pass(100 * time.Millisecond)
			}
		})
	}
	entering.Wait()
	a.took, a.p99 = time.Since(began), quantile(times, 0.99)
	if len(times) != len(c.sockets) {
		t.Fatalf("%d of %d clients came in: %v", len(times), len(c.sockets), a)
	}
	return c, a
}

// kindOfRefusal says why a handshake failed.
func kindOfRefusal(err error) string {
	if e, ok := errors.AsType[*errStatus](err); ok {
		return strconv.Itoa(e.status)
	}
	return "no connection"
}

// leave ends the clients.
func (c *crowd) leave() {
	for _, s := range c.sockets {
		if s != nil {
			_ = s.conn.Close()
		}
	}
	for _, s := range c.sockets {
		if s != nil {
			<-s.ended
		}
	}
}

// open returns how many are open, of those who meet a condition.
func (c *crowd) open(of func(*login) bool) int {
	n := 0
	for _, s := range c.sockets {
		if of(s.login) && s.isOpen() {
			n++
		}
	}
	return n
}

// quantile returns the q-quantile of times, whose order it changes.
func quantile(times []time.Duration, q float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[min(len(times)-1, int(q*float64(len(times))))]
}
