package live

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/belleville/belleville/sessionstore"
)

// patience is how long sessions wait to be asked about again when the store could not say.
const patience = time.Second

// Run asks about sessions until ctx is done, and returns nil then.
func (l *Live) Run(ctx context.Context) error {
	ticks, ages := time.NewTicker(tick), time.NewTicker(remembered)
	defer ticks.Stop()
	defer ages.Stop()
	var rules sync.WaitGroup
	rules.Go(func() { l.keepAskingRules(ctx) })
	defer rules.Wait()
	away := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ages.C:
			l.mu.Lock()
			l.touch.age()
			l.mu.Unlock()
			continue
		case <-ticks.C:
		case <-l.wakeups:
		}
		err := l.catchUp(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if (err != nil) != away {
			away = err != nil
			l.tell(err)
		}
		if err != nil && !pause(ctx, patience) {
			return nil
		}
	}
}

// keepAskingRules asks all rules once an interval until ctx is done.
func (l *Live) keepAskingRules(ctx context.Context) {
	for pause(ctx, l.cfg.RecheckInterval) {
		l.askRules(ctx)
	}
}

// tell logs that the store cannot say any more, or can again.
func (l *Live) tell(err error) {
	if err != nil {
		l.cfg.Logger.Warn("open sessions cannot be checked", slog.String("error", err.Error()))
		return
	}
	l.cfg.Logger.Info("open sessions are checked again")
}

// pause waits, and reports whether ctx lasted.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// catchUp asks about all sessions whose time has come.
func (l *Live) catchUp(ctx context.Context) error {
	for {
		l.mu.Lock()
		passed := l.wheel.turn(l.cfg.Now())
		due := l.wheel.take(l.cfg.BatchSize)
		if passed { // a touch alone is asked about alone, and so at once
			due = append(due, l.wheel.soon(l.cfg.BatchSize-len(due))...)
		}
		q := l.inquiryLocked(due)
		l.mu.Unlock()
		if len(due) == 0 {
			return nil
		}
		began := time.Now()
		standings, err := q.ask(ctx, l.store)
		l.metrics.asked(len(due), time.Since(began), err)
		if err != nil {
			l.putBack(due)
			return err
		}
		l.judge(due, standings)
	}
}

// putBack returns sessions to where they came from.
func (l *Live) putBack(due []*watched) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range due {
		w.asking, w.again = false, false
		if w.seats != nil {
			l.wheel.hurry(w)
		}
	}
}

// judge does what the answers ask for.
func (l *Live) judge(due []*watched, standings []sessionstore.Standing) {
	now := l.cfg.Now()
	var sentences []sentence
	l.mu.Lock()
	for i, w := range due {
		w.asking = false
		if w.seats == nil {
			continue // all have left meanwhile
		}
		sentences = append(sentences, l.sentenceLocked(w, standings[i], now))
	}
	l.mu.Unlock()
	for _, s := range sentences {
		s.execute(l.metrics)
	}
}
