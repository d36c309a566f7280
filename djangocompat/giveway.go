//go:build !linux

package djangocompat

import "runtime"

// giveWay lets goroutines go first that wait for a processor.
func giveWay() { runtime.Gosched() }
