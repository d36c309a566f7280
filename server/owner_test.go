package server

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"
	"time"
)

// binaryFrame is a client's binary message, masked with zeros.
func binaryFrame(payload []byte) []byte {
	b := binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, uint64(len(payload)))
	return append(append(b, 0, 0, 0, 0), payload...)
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestAFrameInManyPiecesIsNotCopiedForEach(t *testing.T) {
	l := newLab(Config{})
	b := l.open(t)
	payload := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	frame := binaryFrame(payload)
	size := allocated(func() {
		for rest := frame; len(rest) > 0; {
			n := min(len(rest), 64)
			b.feed(rest[:n])
			rest = rest[n:]
		}
	})
	if most := uint64(16 * len(frame)); size > most {
		t.Errorf("%d bytes were allocated for a frame of %d, want less than %d", size, len(frame), most)
	}
	messages, _, _ := b.finish(t)
	if len(messages) != 1 || !bytes.Equal(messages[0].Data, payload) {
		t.Error("the message is not what was sent")
	}
}

func TestAClosingConnectionKeepsNothingOfWhatComes(t *testing.T) {
	b := newLab(Config{}).open(t)
	b.held = true // its consumer has enough for now
	if b.feed(binaryFrame(make([]byte, 1<<16))) {
		t.Error("the owner reads on for a consumer that has enough")
	}
	if err := b.Close(1000, ""); err != nil {
		t.Fatal(err)
	}
	if w := b.wanted(); w&wantRead == 0 || !b.resume() {
		t.Error("the peer's answer to a close frame is not waited for")
	}
	for range 100 {
		b.feed(binaryFrame(make([]byte, 1<<16)))
	}
	if b.in != nil {
		t.Errorf("%d bytes are kept", len(b.in.tail)+len(b.in.payload))
	}
	if messages, _, _ := b.finish(t); len(messages) != 0 {
		t.Errorf("the consumer was told %d messages", len(messages))
	}
}

func TestAPeerIsNotSilentWhileNobodyListens(t *testing.T) {
	l := newLab(Config{PingInterval: time.Second, PongTimeout: time.Second})
	b := l.open(t)
	b.held = true
	for now := int64(1000); now < 60_000; now += 500 {
		if _, drop := b.expire(now); drop {
			t.Fatalf("dropped after %d ms, while its consumer was busy", now)
		}
	}
	b.held = false
	b.heard = l.server.clock.now()
	if _, drop := b.expire(b.heard + 1500); drop || !b.pinged {
		t.Errorf("after 1.5 s of silence: dropped %v, pinged %v; want false, true", drop, b.pinged)
	}
	if _, drop := b.expire(b.heard + 2500); !drop {
		t.Error("a silent peer was not dropped")
	}
	b.finish(t)
}

func TestAPingThatHadToWaitIsSentLater(t *testing.T) {
	l := newLab(Config{PingInterval: time.Second, PongTimeout: time.Second})
	b := l.open(t)
	b.heard = l.server.clock.now()
	b.mu.Lock()
	b.pushLocked(pingFrame) // as a message that has not been written yet
	b.mu.Unlock()
	if _, drop := b.expire(b.heard + 1500); drop || b.pinged {
		t.Errorf("while a message waits: dropped %v, pinged %v; want neither", drop, b.pinged)
	}
	b.finish(t)
}

func TestAHandshakeAnsweredAtTheLastMomentStands(t *testing.T) {
	b := newLab(Config{}).open(t)
	b.tooLate() // the timer had seen it undecided
	select {
	case <-b.ended:
		t.Error("the consumer of an open connection was ended")
	default:
	}
	b.hear(t, binaryFrame(make([]byte, 1<<16)))
	if messages, _, _ := b.finish(t); len(messages) != 1 {
		t.Errorf("%d messages, want 1", len(messages))
	}
}
