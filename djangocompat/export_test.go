package djangocompat

// A CountingOpener opens signed texts and counts how often one is inflated.
type CountingOpener struct {
	Inflated int

	workspace workspace
}

// Open verifies text as a SessionCodec does, and reads what is in it.
func (o *CountingOpener) Open(c SessionCodec, text string) error {
	const untouched = -1
	o.workspace.inflater.limit = untouched
	_, err := c.open(&o.workspace, text, forever)
	if o.workspace.inflater.limit != untouched {
		o.Inflated++
	}
	return err
}

// Inflate is what a signed text is inflated with.
func Inflate(compressed []byte, limit int) ([]byte, error) {
	var w workspace
	return w.inflater.inflate(nil, compressed, limit)
}
