package djangocompat

import "io"

// A CountingOpener opens signed texts and counts how often one is inflated.
type CountingOpener struct {
	Inflated int

	workspace workspace
}

// Open verifies text as a SessionCodec does, and reads what is in it as far as it is not deflated.
func (o *CountingOpener) Open(c SessionCodec, text string) error {
	o.workspace.zlib = countingInflater{o}
	_, err := c.open(&o.workspace, text, forever)
	return err
}

// countingInflater inflates everything to nothing.
type countingInflater struct{ opener *CountingOpener }

// Reset implements zlib.Resetter.
func (i countingInflater) Reset(io.Reader, []byte) error {
	i.opener.Inflated++
	return nil
}

func (countingInflater) Read([]byte) (int, error) { return 0, io.EOF }

func (countingInflater) Close() error { return nil }
