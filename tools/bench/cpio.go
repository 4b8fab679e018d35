package main

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// writeCPIO writes the folder root as an initramfs archive (newc), all of it
// owned by root. The kernel unpacks it behind others before it.
func writeCPIO(w io.Writer, root string) error {
	a := &archive{w: bufio.NewWriter(w)}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch mode := info.Mode(); {
		case mode.IsDir():
			a.entry(name, 0o040755, nil)
		case mode.IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			a.entry(name, 0o100644|uint32(mode.Perm()&0o111), data)
		case mode&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			a.entry(name, 0o120777, []byte(to))
		}
		return nil
	})
	if err != nil {
		return err
	}
	a.inode = -1
	a.entry("TRAILER!!!", 0, nil)
	a.pad(512)
	if a.err != nil {
		return a.err
	}
	return a.w.Flush()
}

type archive struct {
	w     *bufio.Writer
	n     int
	inode int
	err   error
}

func (a *archive) write(p []byte) {
	if a.err == nil {
		_, a.err = a.w.Write(p)
		a.n += len(p)
	}
}

func (a *archive) pad(to int) {
	if r := a.n % to; r != 0 {
		a.write(make([]byte, to-r))
	}
}

func (a *archive) entry(name string, mode uint32, data []byte) {
	a.inode++
	name = filepath.ToSlash(name)
	var h strings.Builder
	h.WriteString("070701")
	// inode, mode, uid, gid, links, time, size, device, device of the file, length of the name, check
	for _, v := range []uint32{uint32(a.inode), mode, 0, 0, 1, 0, uint32(len(data)), 0, 0, 0, 0, uint32(len(name) + 1), 0} {
		fmt.Fprintf(&h, "%08x", v)
	}
	a.write([]byte(h.String() + name + "\x00"))
	a.pad(4)
	a.write(data)
	a.pad(4)
}
