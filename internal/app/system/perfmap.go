package system

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// perfMap is the file by which perf names machine code: perf looks for it
// under the process's number when it reports. Processors write to it while
// they translate, so lines are buffered.
type perfMap struct {
	mu sync.Mutex
	f  *os.File
	w  *bufio.Writer
}

func newPerfMap() (*perfMap, error) {
	name := fmt.Sprintf("/tmp/perf-%d.map", os.Getpid())
	// The name is known to all, and so is the folder: neither a stale map nor
	// what somebody else has put there is written to.
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("could not replace '%s': %w", name, reason(err))
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("could not open '%s': %w", name, reason(err))
	}
	return &perfMap{f: f, w: bufio.NewWriterSize(f, 64<<10)}, nil
}

func (p *perfMap) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.w.Write(b)
}

// Flush brings what was written to the file.
func (p *perfMap) Flush() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.w.Flush()
}

// Close leaves the file behind, since perf reads it later.
func (p *perfMap) Close() error {
	err := p.Flush()
	if e := p.f.Close(); err == nil {
		err = e
	}
	return err
}
