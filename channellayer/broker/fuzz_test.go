package broker

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// conversations are beginnings of what clients send.
func conversations() []string {
	return []string{
		"*1\r\n$4\r\nPING\r\n",
		"PING\r\n",
		"*4\r\n$4\r\nZADD\r\n$1\r\nk\r\n$1\r\n1\r\n$1\r\na\r\n*3\r\n$8\r\nBZPOPMIN\r\n$1\r\nk\r\n$4\r\n0.01\r\n",
		"*1\r\n$5\r\nMULTI\r\n*2\r\n$5\r\nZCARD\r\n$1\r\nk\r\n*1\r\n$4\r\nEXEC\r\n",
		"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nt\r\n*3\r\n$7\r\nPUBLISH\r\n$1\r\nt\r\n$1\r\nm\r\n",
		"*-1\r\n*0\r\n\r\n",
		"*1000000000\r\n$1000000000\r\n",
		"*2\r\n$-1\r\n",
		encoded("HELLO", "3") + encoded("HELLO", "2", "AUTH", "default", "x", "SETNAME", "y") + encoded("CLIENT", "ID") + encoded("RESET"),
		"AUTH sesame\r\nINFO\r\nPING\r\nPOST / HTTP/1.1\r\n",
		"ZRANGE k 0 -1 WITHSCORES\r\nZRANGEBYSCORE k (1 inf LIMIT 0 1\r\nSCAN 0 MATCH * COUNT 1\r\nKEYS [a\r\n",
		"EVAL x 1 k\r\nEVALSHA 33ce775bc9b43441f7d5abf901ba299582c8562b 1 k m 1 1 1\r\nSCRIPT LOAD x\r\nPUBSUB NUMSUB t\r\n",
	}
}

func FuzzReader(f *testing.F) {
	for _, c := range conversations() {
		f.Add([]byte(c))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		buffers := &budget{limit: 1 << 20}
		r := &reader{in: bufio.NewReader(bytes.NewReader(data)), bounds: bounds{100, 1 << 16, 1 << 18}, buffers: buffers}
		for {
			c, err := r.read()
			if err != nil {
				break
			}
			if len(c.args) == 0 || len(c.args) > 1<<10 {
				t.Errorf("a command has %d arguments", len(c.args))
			}
			buffers.add(-c.bytes)
		}
		if used := buffers.used.Load(); used != 0 {
			t.Errorf("%d bytes are still counted", used)
		}
	})
}

// FuzzClient sends anything to a broker: it survives, and nothing of the client is left when it has gone.
func FuzzClient(f *testing.F) {
	for _, c := range conversations() {
		f.Add([]byte(c))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := New(Config{MaxMemory: 1 << 20, MaxMessage: 1 << 16})
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := net.Pipe()
		l.welcome(theirs)
		go func() { _, _ = io.Copy(io.Discard, ours) }()
		_ = ours.SetWriteDeadline(time.Now().Add(10 * time.Second)) // a pipe has deadlines
		_, _ = ours.Write(data)                                     // the broker may have closed it
		_ = ours.Close()
		l.clients.running.Wait()
		if used := l.buffers.used.Load(); used != 0 || l.clientCount() != 0 || len(l.database.topics)+len(l.database.patterns)+len(l.database.waiting) != 0 {
			t.Errorf("%d bytes and %d clients are left of one that has gone", used, l.clientCount())
		}
	})
}

// FuzzCommand runs any command on the data: it answers something that a client can read.
func FuzzCommand(f *testing.F) {
	for _, c := range conversations() {
		f.Add(c)
	}
	for hash := range knownScripts() {
		f.Add("EVALSHA " + hash + " 2 k1 k2 1 2 3 4 5 6\r\n")
	}
	table, known := dataCommands(), knownScripts()
	f.Fuzz(func(t *testing.T, text string) {
		d, memory := testDatabase()
		d.scripts = known
		for line := range strings.Lines(text) {
			args := strings.Fields(line)
			if len(args) == 0 {
				continue
			}
			s, ok := table[strings.ToUpper(args[0])]
			if n := len(args) - 1; !ok || n < s.least || s.most >= 0 && n > s.most {
				continue
			}
			var out []byte
			d.do(func(t *tx) { out = s.run(t, nil, args[1:]) })
			if rest, ok := skipAnswer(out, 0); !ok || len(rest) > 0 {
				t.Errorf("%q answered %q", line, out)
			}
		}
		d.do(func(t *tx) { flush(t, nil, nil) })
		if used := memory.used.Load(); used != 0 {
			t.Errorf("%d bytes are counted for nothing", used)
		}
	})
}

// skipAnswer returns what is behind an answer.
func skipAnswer(b []byte, depth int) (rest []byte, ok bool) {
	line, rest, ok := bytes.Cut(b, []byte("\r\n"))
	if !ok || len(line) == 0 || depth > 3 {
		return nil, false
	}
	n := 0
	for _, c := range line[1:] {
		if '0' <= c && c <= '9' {
			n = 10*n + int(c-'0')
		}
	}
	negative := len(line) > 1 && line[1] == '-'
	switch line[0] {
	case '+', '-', ':':
		return rest, true
	case '$':
		if negative {
			return rest, true
		}
		if len(rest) < n+2 {
			return nil, false
		}
		return rest[n+2:], true
	case '*':
		for i := 0; i < n && !negative && ok; i++ {
			rest, ok = skipAnswer(rest, depth+1)
		}
		return rest, ok
	}
	return nil, false
}
