package changes

import (
	"context"
	"errors"
	"testing"
)

// brief is a source that hears for a moment, twice.
type brief struct{ times int }

func (b *brief) listen(ctx context.Context, _ func(Change), heard func(saves bool)) error {
	if b.times++; b.times > 2 {
		<-ctx.Done()
		return ctx.Err()
	}
	heard(true)
	heard(true)
	return errors.New("cut off")
}

func (*brief) fatal(error) bool { return false }

func TestNobodyBelievesWhatIsOldBeforeItIsForgotten(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	l := newListener(new(brief), Config{})
	told := 0
	err := l.Run(ctx, func(c Change) {
		if c.Kind != Anything || l.Proven() {
			t.Errorf("told of %v while it is proven: %v, want of anything before", c.Kind, l.Proven())
		}
		if told++; told == 2 {
			stop()
		}
	})
	if err != nil || told != 2 {
		t.Errorf("Run = %v after %d changes, want nil after 2", err, told)
	}
}
