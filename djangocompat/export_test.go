package djangocompat

// A CountingOpener opens signed texts and counts how often one is inflated.
type CountingOpener struct {
	Inflated int

	workspace workspace
}

// Open verifies text as a SessionCodec does, and reads what is in it.
func (o *CountingOpener) Open(c SessionCodec, text string) error {
	o.workspace.zlib.pos = 0
	_, err := c.open(&o.workspace, text, forever)
	if o.workspace.zlib.pos != 0 { // it has at least looked at the stream
		o.Inflated++
	}
	return err
}
