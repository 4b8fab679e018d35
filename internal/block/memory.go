package block

import (
	"io"
	"sync"
)

// Memory is a Backend in memory.
type Memory struct {
	mu sync.Mutex
	b  []byte
	ro bool
	// Fail, if not nil, is asked before each access and may return an error
	// (tests).
	Fail func(op Op, off int64, n int) error
}

// NewMemory returns a backend over b, which it uses.
func NewMemory(b []byte, readOnly bool) *Memory { return &Memory{b: b, ro: readOnly} }

// Size implements Backend.
func (m *Memory) Size() int64 { return int64(len(m.b)) }

// ReadOnly implements ReadOnlyer.
func (m *Memory) ReadOnly() bool { return m.ro }

// Bytes is the memory.
func (m *Memory) Bytes() []byte { return m.b }

// ReadAt implements io.ReaderAt.
func (m *Memory) ReadAt(p []byte, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Fail != nil {
		if err := m.Fail(Read, off, len(p)); err != nil {
			return 0, err
		}
	}
	if off < 0 || off >= int64(len(m.b)) {
		return 0, io.EOF
	}
	n := copy(p, m.b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements io.WriterAt.
func (m *Memory) WriteAt(p []byte, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ro {
		return 0, ErrReadOnly
	}
	if m.Fail != nil {
		if err := m.Fail(Write, off, len(p)); err != nil {
			return 0, err
		}
	}
	if off < 0 || off >= int64(len(m.b)) {
		return 0, io.ErrShortWrite
	}
	n := copy(m.b[off:], p)
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// Sync implements Backend.
func (m *Memory) Sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Fail != nil {
		return m.Fail(Flush, 0, 0)
	}
	return nil
}
