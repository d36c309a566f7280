package pgtest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/belleville/belleville/internal/parts"
)

// oldest is the oldest major version of PostgreSQL that is good enough.
const oldest = 15

// programs are the two programs of one PostgreSQL installation that a Cluster runs.
type programs struct {
	initdb string
	pgCtl  string
}

// findPrograms finds the newest installation where Debian puts them, else the one on PATH.
func findPrograms(ctx context.Context) (programs, error) {
	var newest programs
	found := 0
	candidates, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return programs{}, fmt.Errorf("find PostgreSQL: %w", err)
	}
	if onPath, err := exec.LookPath("initdb"); err == nil {
		candidates = append(candidates, onPath)
	}
	for _, initdb := range candidates {
		pgCtl := filepath.Join(filepath.Dir(initdb), "pg_ctl")
		if _, err := os.Stat(pgCtl); err != nil {
			continue
		}
		if major := majorVersion(ctx, initdb); major > found {
			found, newest = major, programs{initdb: initdb, pgCtl: pgCtl}
		}
	}
	if found < oldest {
		return programs{}, fmt.Errorf("%w: PostgreSQL %d or newer (Debian's package postgresql)", parts.ErrMissing, oldest)
	}
	return newest, nil
}

// majorVersion asks initdb for its version: "initdb (PostgreSQL) 15.14 (Debian …)" is 15; 0 means that it did not say.
func majorVersion(ctx context.Context, initdb string) int {
	out, err := exec.CommandContext(ctx, initdb, "--version").Output()
	if err != nil {
		return 0
	}
	_, version, _ := strings.Cut(string(out), "(PostgreSQL) ")
	digits := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		return 0
	}
	major, err := strconv.Atoi(version[:digits])
	if err != nil {
		return 0
	}
	return major
}

// run runs a program of the installation to its end, as the cluster's account.
func (c *Cluster) run(ctx context.Context, program string, args ...string) error {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stdout, cmd.Stderr = &said, &said
	c.account.Lend(cmd)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(program), err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}
