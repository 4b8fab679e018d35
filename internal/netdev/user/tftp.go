package user

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// TFTP (RFC 1350) with the options of RFC 2347 to 2349.
const (
	tftpPort = 69

	opRRQ   = 1
	opWRQ   = 2
	opData  = 3
	opACK   = 4
	opError = 5
	opOACK  = 6

	errNotFound = 1
	errAccess   = 2
	errIllegal  = 4

	maxTransfers = 32
	tftpIdle     = 30 * time.Second
	maxBlock     = 1428 // what a frame of the cable holds
)

// transfers are the files that are being read.
type transfers struct {
	mu sync.Mutex
	n  int
}

// serveTFTP is one client's session: it has asked from one port, and all goes
// between that and ours. Like those of old, the server is led by its client:
// what is lost is sent again when that repeats itself.
func (n *Network) serveTFTP(c net.Conn) {
	n.tftp.mu.Lock()
	full := n.tftp.n >= maxTransfers
	if !full {
		n.tftp.n++
	}
	n.tftp.mu.Unlock()
	if full {
		return
	}
	t := transfer{root: n.root}
	defer func() {
		t.close()
		n.tftp.mu.Lock()
		n.tftp.n--
		n.tftp.mu.Unlock()
	}()
	buf := make([]byte, 2048)
	for {
		c.SetReadDeadline(time.Now().Add(tftpIdle))
		k, err := c.Read(buf)
		if err != nil {
			return
		}
		answer := t.handle(buf[:k])
		if answer != nil {
			c.Write(answer)
		}
		if t.over {
			return
		}
	}
}

// transfer is a file being read.
type transfer struct {
	root  *os.Root
	file  *os.File
	size  int64
	block int
	acked int64 // blocks that have arrived
	over  bool
	out   [4 + maxBlock]byte
}

func (t *transfer) close() {
	if t.file != nil {
		t.file.Close()
		t.file = nil
	}
}

func (t *transfer) fail(code uint16, text string) []byte {
	t.close()
	t.over = true
	b := binary.BigEndian.AppendUint16([]byte{0, opError}, code)
	return append(append(b, text...), 0)
}

// handle takes a packet and returns the answer, nil = none.
func (t *transfer) handle(p []byte) []byte {
	if len(p) < 4 {
		return nil
	}
	switch binary.BigEndian.Uint16(p) {
	case opRRQ:
		return t.request(p[2:])
	case opWRQ:
		return t.fail(errAccess, "Access violation")
	case opACK:
		return t.data(binary.BigEndian.Uint16(p[2:]))
	case opError:
		t.over = true
		return nil
	}
	return t.fail(errIllegal, "Illegal TFTP operation")
}

// request opens a file. A request that comes again begins anew.
func (t *transfer) request(p []byte) []byte {
	t.close()
	words := bytes.Split(p, []byte{0})
	if len(words) < 3 { // name, mode, and what is behind the last zero
		return t.fail(errIllegal, "Illegal TFTP operation")
	}
	if mode := strings.ToLower(string(words[1])); mode != "octet" {
		return t.fail(errIllegal, "Only octet mode is supported")
	}
	f, size, err := openFile(t.root, string(words[0]))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return t.fail(errNotFound, "File not found")
	case err != nil:
		return t.fail(errAccess, "Access violation")
	}
	t.file, t.size, t.block, t.acked = f, size, 512, 0
	reply := []byte{0, opOACK}
	for o := words[2:]; len(o) >= 2; o = o[2:] {
		name, value := strings.ToLower(string(o[0])), string(o[1])
		n, err := strconv.Atoi(value)
		switch {
		case err != nil || n < 0:
			continue
		case name == "blksize" && n >= 8:
			t.block = min(n, maxBlock)
			n = t.block
		case name == "tsize":
			n = int(t.size)
		case name == "timeout" && n >= 1 && n <= 255:
		default:
			continue
		}
		reply = append(append(append(append(reply, name...), 0), strconv.Itoa(n)...), 0)
	}
	if len(reply) > 2 {
		return reply
	}
	return t.data(0)
}

// openFile opens a regular file below root. Names are from the root's top,
// with or without a slash; none leads out of it.
func openFile(root *os.Root, name string) (*os.File, int64, error) {
	name = strings.TrimLeft(strings.ReplaceAll(name, "\\", "/"), "/")
	if name == "" || strings.ContainsRune(name, 0) {
		return nil, 0, fs.ErrNotExist
	}
	st, err := root.Stat(name)
	if err != nil {
		return nil, 0, err
	}
	if !st.Mode().IsRegular() { // a pipe would hang, a directory is no file
		return nil, 0, fs.ErrPermission
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, 0, err
	}
	return f, st.Size(), nil
}

// data sends the block behind the acknowledged one. Numbers wrap in long
// files: the one meant is near where the transfer is.
func (t *transfer) data(ack uint16) []byte {
	if t.file == nil {
		return nil
	}
	acked := t.acked + int64(int16(ack-uint16(t.acked)))
	at := acked * int64(t.block)
	if acked < 0 {
		return nil
	}
	t.acked = acked
	if at > t.size { // the last block, which is short or empty, has arrived
		t.close()
		t.over = true
		return nil
	}
	n, err := t.file.ReadAt(t.out[4:4+t.block], at)
	if err != nil && err != io.EOF {
		return t.fail(errAccess, "Access violation")
	}
	binary.BigEndian.PutUint16(t.out[:], opData)
	binary.BigEndian.PutUint16(t.out[2:], ack+1)
	return t.out[:4+n]
}
