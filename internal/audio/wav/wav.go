// Package wav writes what is played to a WAVE file (Microsoft and IBM,
// "Multimedia Programming Interface and Data Specifications 1.0").
package wav

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sync"

	"rhea/internal/audio"
)

// Config is the form of a file.
type Config struct {
	Rate     int // of the frames that are played
	FileRate int // of those in the file, 0 = the same
	Channels int // 1 or 2
	Bits     int // 8 (unsigned) or 16
}

// Writer is a sink that writes a file, on a goroutine of its own.
type Writer struct {
	audio.Sink
	c    Config
	q    *audio.Queue
	f    *os.File
	done chan struct{}

	mu    sync.Mutex
	bytes int64 // of samples
	err   error
}

const (
	header = 44
	// most is where a file ends: sizes have 32 bits.
	most = 1<<32 - 1<<20
	// seconds is how much the queue holds, for slow disks.
	seconds = 4
)

// Create makes the file.
func Create(path string, c Config) (*Writer, error) {
	if c.FileRate == 0 {
		c.FileRate = c.Rate
	}
	if c.Channels < 1 || c.Channels > 2 || c.Bits != 8 && c.Bits != 16 {
		return nil, fmt.Errorf("%d channels of %d bits cannot be written", c.Channels, c.Bits)
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	w := &Writer{c: c, f: f, q: audio.NewQueue(seconds * c.FileRate), done: make(chan struct{})}
	w.Sink = w.q
	if c.FileRate != c.Rate {
		w.Sink = audio.NewConverter(w.q, c.Rate, c.FileRate)
	}
	if err := w.head(); err != nil {
		f.Close()
		return nil, err
	}
	go w.run()
	return w, nil
}

// head writes the header for the bytes that there are.
func (w *Writer) head() error {
	var h [header]byte
	le := binary.LittleEndian
	frame := w.c.Channels * w.c.Bits / 8
	copy(h[0:], "RIFF")
	le.PutUint32(h[4:], uint32(w.bytes)+header-8)
	copy(h[8:], "WAVEfmt ")
	le.PutUint32(h[16:], 16)
	le.PutUint16(h[20:], 1) // WAVE_FORMAT_PCM
	le.PutUint16(h[22:], uint16(w.c.Channels))
	le.PutUint32(h[24:], uint32(w.c.FileRate))
	le.PutUint32(h[28:], uint32(w.c.FileRate*frame))
	le.PutUint16(h[32:], uint16(frame))
	le.PutUint16(h[34:], uint16(w.c.Bits))
	copy(h[36:], "data")
	le.PutUint32(h[40:], uint32(w.bytes))
	_, err := w.f.WriteAt(h[:], 0)
	return err
}

func (w *Writer) run() {
	defer close(w.done)
	var frames [2048]audio.Frame
	var b [4 * len(frames)]byte
	if _, err := w.f.Seek(header, io.SeekStart); err != nil {
		w.fail(err)
		return
	}
	out := bufio.NewWriterSize(w.f, 64<<10)
	pending := 0
	for {
		n := w.q.Wait(frames[:])
		if n == 0 {
			break
		}
		p := w.encode(b[:], frames[:n])
		if w.Bytes()+int64(len(p)) > most {
			continue
		}
		_, err := out.Write(p)
		w.mu.Lock()
		w.bytes += int64(len(p))
		w.mu.Unlock()
		// A header that is right from time to time makes the file of an
		// emulator that was killed usable.
		if pending += len(p); err == nil && pending > 256<<10 {
			pending = 0
			if err = out.Flush(); err == nil {
				err = w.head()
			}
		}
		if err != nil {
			w.fail(err)
			return
		}
	}
	if err := out.Flush(); err != nil {
		w.fail(err)
		return
	}
	if err := w.head(); err != nil {
		w.fail(err)
	}
}

// fail remembers the first error; what is still played is dropped.
func (w *Writer) fail(err error) {
	w.mu.Lock()
	w.err = err
	w.mu.Unlock()
	w.q.Close()
}

// encode puts frames into b as the file has them.
func (w *Writer) encode(b []byte, frames []audio.Frame) []byte {
	n := 0
	put := func(v int16) {
		if w.c.Bits == 8 {
			b[n] = byte(v>>8) ^ 0x80
			n++
			return
		}
		binary.LittleEndian.PutUint16(b[n:], uint16(v))
		n += 2
	}
	for _, f := range frames {
		if w.c.Channels == 1 {
			put(int16((int32(f.L) + int32(f.R)) / 2))
			continue
		}
		put(f.L)
		put(f.R)
	}
	return b[:n]
}

// Config returns the file's form.
func (w *Writer) Config() Config { return w.c }

// Period implements audio.Patient.
func (w *Writer) Period() int64 { return audio.IdlePeriod }

// Bytes returns how many bytes of samples were written.
func (w *Writer) Bytes() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bytes
}

// Close writes what is left and the header. It returns the first error there
// was, also one of before.
func (w *Writer) Close() error {
	w.q.Close()
	<-w.done
	err := w.f.Close()
	if w.err != nil {
		err = w.err
	}
	if n := w.q.Dropped(); err == nil && n > 0 {
		err = fmt.Errorf("the disk was too slow: %d frames are missing", n)
	}
	return err
}
