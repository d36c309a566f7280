package pickle

// Config bounds what a pickle may cost. The zero Config is a good one.
type Config struct {
	// MaxBytes is the length of the longest pickle that is read. Default: 4 MiB.
	MaxBytes int
	// MaxOps is how many opcodes a pickle may have. Default: 4194304.
	MaxOps int
	// MaxElements is how many elements all its containers may hold together. Default: 1048576.
	MaxElements int
	// MaxMemo is how many objects the pickle may remember for later reference. Default: 1048576.
	MaxMemo int
	// MaxDepth is how deep containers may nest. Python writes at most some thousand levels.
	// Default: 10000.
	MaxDepth int
	// MaxMemory is how many bytes the decoder may allocate, counted before it does.
	// Default: 3 MiB, and 12 bytes more for each byte of the pickle.
	MaxMemory int
}

func (c Config) withDefaults(pickleLen int) Config {
	setDefault(&c.MaxBytes, 4<<20)
	setDefault(&c.MaxOps, 4<<20)
	setDefault(&c.MaxElements, 1<<20)
	setDefault(&c.MaxMemo, 1<<20)
	setDefault(&c.MaxDepth, 10_000)
	setDefault(&c.MaxMemory, 3<<20+12*min(pickleLen, c.MaxBytes))
	return c
}

func setDefault(field *int, value int) {
	if *field == 0 {
		*field = value
	}
}
