package pickle_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/belleville/belleville/internal/chaos"
	"github.com/belleville/belleville/pickle"
)

// TestT13RandomValuesFromPython is security row T13: what Python pickles, Go reads as Python does, and writes so that
// Python reads it again with the same references. PICKLE_OBJECTS says how many random values are tried, and PICKLE_SEED
// which. Of a million, one in twenty is written.
func TestT13RandomValuesFromPython(t *testing.T) {
	count, seed := chaos.Size(1_000_000, 3000), 1
	for name, n := range map[string]*int{"PICKLE_OBJECTS": &count, "PICKLE_SEED": &seed} {
		if text := os.Getenv(name); text != "" {
			var err error
			if *n, err = strconv.Atoi(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	const batch, processes = 50_000, 2
	r := &reading{T: t, python: pythonWithDjango(t), every: chaos.Size(20, 1)}
	written := 0
	for todo := count; todo > 0 && !t.Failed(); {
		var pickling sync.WaitGroup
		for range processes {
			n := min((count+processes-1)/processes, batch, todo)
			from := seed
			pickling.Go(func() { r.random(from, n) })
			seed, todo = seed+n, todo-n
		}
		pickling.Wait()
		comparePickles(t, r.pairs)
		written += len(r.pairs)
		r.pairs = nil
	}
	chaos.Row(t, chaos.Holds(r.read == count && !t.Failed()), "T13", fmt.Sprintf("%d random values of Python's, pickled with protocols 0 to 5", count),
		fmt.Sprintf("%d read as Python reads them, of which %d have something twice and %d contain themselves; %d written as Python reads them", r.read, r.shared, r.recursive, written), "no difference")
	if r.shared < count/10 || r.recursive < count/1000 {
		t.Errorf("%d and %d of %d are shared and recursive: that proves little", r.shared, r.recursive, count)
	}
}

// reading is the reading of random values that Python pickles.
type reading struct {
	*testing.T
	python string
	every  int // one of so many is written too

	mu                      sync.Mutex // guards the fields below
	read, shared, recursive int
	pairs                   []written
}

// random has Python pickle the values of n seeds, and reads them.
func (r *reading) random(seed, n int) {
	script := peerCommand(r.python, "random", strconv.Itoa(seed), strconv.Itoa(n))
	out, err := script.StdoutPipe()
	if err == nil {
		err = script.Start()
	}
	if err != nil {
		r.Error(err)
		return
	}
	lines := json.NewDecoder(out)
	for range n {
		var v picked
		if err = lines.Decode(&v); err != nil {
			break
		}
		if err = r.check(v); err != nil {
			err = fmt.Errorf("%s: %w", v.Name, err)
			break
		}
	}
	_, _ = io.Copy(io.Discard, out) // what is left where it broke off
	if err := errors.Join(err, script.Wait()); err != nil {
		r.Error(err)
	}
}

// picked is a random value.
type picked struct {
	Name, JSON string
	Pickle     []byte
	Shared     bool
}

// check reads a value, and returns how it differs from what Python reads.
func (r *reading) check(p picked) error {
	v, err := pickle.Decode(p.Pickle, pickle.Config{})
	if err != nil {
		return err
	}
	text, err := pickle.AppendJSON(nil, v, maxShown)
	if err != nil {
		return err
	}
	if string(text) != p.JSON {
		return differenceOf(string(text), p.JSON)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.read%r.every == 0 {
		again, err := pickle.Encode(v)
		if err != nil {
			return err
		}
		r.pairs = append(r.pairs, written{p.Name, p.Pickle, again})
	}
	r.read++
	if p.Shared {
		r.shared++
	}
	if strings.Contains(p.JSON, `{"$type":"recursive"}`) {
		r.recursive++
	}
	return nil
}
