// Package dump writes the frames of a network to a file in the format of
// libpcap ("-object filter-dump"), which tcpdump and Wireshark read.
package dump

import (
	"encoding/binary"
	"os"
	"sync"
	"time"
)

// The header of a file and of a frame (draft-ietf-opsawg-pcap).
const (
	magicMicros  = 0xa1b2c3d4
	linkEthernet = 1
	fileHeader   = 24
	frameHeader  = 16
)

// File is a file that is being written.
type File struct {
	mu     sync.Mutex
	f      *os.File
	maxLen int
	buf    []byte
	err    error
}

// Create makes a file; frames are cut to maxLen bytes, 0 = 65536.
func Create(name string, maxLen int) (*File, error) {
	if maxLen <= 0 {
		maxLen = 65536
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	h := make([]byte, fileHeader)
	binary.LittleEndian.PutUint32(h, magicMicros)
	binary.LittleEndian.PutUint16(h[4:], 2)
	binary.LittleEndian.PutUint16(h[6:], 4)
	binary.LittleEndian.PutUint32(h[16:], uint32(maxLen))
	binary.LittleEndian.PutUint32(h[20:], linkEthernet)
	if _, err := f.Write(h); err != nil {
		f.Close()
		return nil, err
	}
	return &File{f: f, maxLen: maxLen}, nil
}

// Frame writes a frame. After an error (the disk is full) nothing more is
// written; Close returns it.
func (d *File) Frame(frame []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return
	}
	now := time.Now()
	cut := frame[:min(len(frame), d.maxLen)]
	b := binary.LittleEndian.AppendUint32(d.buf[:0], uint32(now.Unix()))
	b = binary.LittleEndian.AppendUint32(b, uint32(now.Nanosecond()/1000))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(cut)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(frame)))
	d.buf = append(b, cut...)
	_, d.err = d.f.Write(d.buf)
}

// Close ends the file.
func (d *File) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.f.Close()
	if d.err == nil {
		d.err = err
	}
	return d.err
}
