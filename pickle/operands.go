package pickle

// The opcodes that put numbers, text and bytes on the stack.

// pushText reads a line and pushes what it means.
func pushText[T any](m *machine, parse func(line []byte) (T, error)) error {
	line, err := m.readLine()
	if err != nil {
		return err
	}
	if err := m.budget.take(3*len(line) + 2*boxSize); err != nil {
		return err
	}
	v, err := parse(line)
	if err != nil {
		return err
	}
	return m.push(v)
}

func (m *machine) textIndex() (uint64, error) {
	line, err := m.readLine()
	if err != nil {
		return 0, err
	}
	return textIndex(line)
}

func (m *machine) binaryIndex(width int) (uint64, error) { return m.readUnsigned(width) }

func (m *machine) pushUnsigned(width int) error {
	n, err := m.readUnsigned(width)
	if err != nil {
		return err
	}
	if n < 256 { // Go has these already
		return m.push(int64(n))
	}
	return m.pushNew(int64(n), boxSize)
}

func (m *machine) pushBinaryInt(width int) error {
	n, err := m.readUnsigned(width)
	if err != nil {
		return err
	}
	return m.pushNew(int64(int32(uint32(n))), boxSize)
}

func (m *machine) pushLong(width int) error {
	b, err := m.readSized(width)
	if err != nil {
		return err
	}
	if err := m.budget.take(2*len(b) + 4*boxSize); err != nil {
		return err
	}
	n, err := binaryInt(b)
	if err != nil {
		return err
	}
	return m.push(n)
}

func (m *machine) pushBinaryFloat() error {
	b, err := m.read(8)
	if err != nil {
		return err
	}
	return m.pushNew(binaryFloat(b), boxSize)
}

// pushSized reads bytes with their length before them, and pushes what they mean.
func (m *machine) pushSized(width int, value func([]byte) (any, error)) error {
	b, err := m.readSized(width)
	if err != nil {
		return err
	}
	if err := m.budget.take(len(b) + 2*boxSize); err != nil {
		return err
	}
	v, err := value(b)
	if err != nil {
		return err
	}
	return m.push(v)
}

func python2String(b []byte) (any, error) { return asciiText(b) }

func unicodeString(b []byte) (any, error) {
	if !validText(b) {
		return nil, malformed("text is not UTF-8")
	}
	return string(b), nil
}

func bytesObject(b []byte) (any, error) { return Bytes(b), nil }

func byteArrayObject(b []byte) (any, error) {
	return &ByteArray{Data: append([]byte(nil), b...)}, nil
}

// readOnlyBuffer takes bytes as they are; of anything else Python would make a memoryview.
func (m *machine) readOnlyBuffer() error {
	v, err := m.top()
	if err != nil {
		return err
	}
	if _, ok := v.(Bytes); !ok {
		return unsupported("a buffer that is not bytes")
	}
	return nil
}
