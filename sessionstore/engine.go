package sessionstore

import (
	"context"

	"github.com/belleville/belleville/djangocompat"
)

// engine is where sessions are kept: one of Django's session engines. It is asked concurrently. Each of its
// errors is [ErrUnavailable], or one of those that saving has; nothing else is an error: what cannot be read is
// a result.
type engine interface {
	// load returns what is stored under key, and how that went: without loadFound there is nothing. The
	// error says why the engine could not say.
	load(ctx context.Context, key string) (djangocompat.SessionData, loadResult, error)
	// save is djangocompat.Backend's Save.
	save(ctx context.Context, session *djangocompat.Session, mode djangocompat.SaveMode) (key string, err error)
	// replace is djangocompat.Backend's Replace.
	replace(ctx context.Context, old string, session *djangocompat.Session) (key string, err error)
	// delete is djangocompat.Backend's Delete.
	delete(ctx context.Context, key string) error
	// exists reports whether something is stored under key.
	exists(ctx context.Context, key string) (bool, error)
	// clearExpired removes what has expired, where that does not go by itself, and counts it.
	clearExpired(ctx context.Context) (int64, error)
}

// retried calls update until it has saved, or saveTries times: somebody else saved in between each time.
func retried(update func() (saved bool, err error)) error {
	for range saveTries {
		saved, err := update()
		if saved || err != nil {
			return err
		}
	}
	return ErrConflict
}
