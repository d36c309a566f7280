//go:build !(linux && amd64)

package pickle_test

import "errors"

// forbidSystemCalls is written for linux/amd64.
func forbidSystemCalls() error { return errors.ErrUnsupported }
