package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// machine is what figures were measured on.
type machine struct {
	Date       string  `json:"date"`
	Processors int     `json:"processors"`
	Processor  string  `json:"processor"`
	Kernel     string  `json:"kernel"`
	Go         string  `json:"go"`
	Busy       float64 `json:"busy"` // the share of all processors that others took, the most before a round
}

// look describes this machine.
func look() machine {
	m := machine{
		Date: time.Now().UTC().Format(time.DateOnly), Processors: runtime.NumCPU(), Processor: runtime.GOARCH,
		Kernel: runtime.GOOS, Go: runtime.Version(),
	}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
				m.Processor = strings.TrimSpace(value)
				break
			}
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		release, _, _ := strings.Cut(strings.TrimSpace(string(text)), "-")
		m.Kernel = "Linux " + release
	}
	return m
}

// busy measures for two seconds which share of the processors is taken, while we do nothing. 0 where that cannot be
// known.
func busy(ctx context.Context) float64 {
	idle, total := processors()
	select {
	case <-time.After(2 * time.Second):
	case <-ctx.Done():
	}
	idleThen, totalThen := processors()
	if totalThen <= total {
		return 0
	}
	return 1 - float64(idleThen-idle)/float64(totalThen-total)
}

// processors returns how long the processors have been idle, and all they have done, in the kernel's steps.
func processors() (idle, total int64) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	for i, field := range strings.Fields(line) {
		var n int64
		if _, err := fmt.Sscan(field, &n); err != nil || i > 8 { // after that they are part of others
			continue
		}
		total += n
		if i == 4 || i == 5 { // idle, and waiting for a disk
			idle += n
		}
	}
	return idle, total
}
