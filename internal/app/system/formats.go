package system

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"rhea/internal/block"
	"rhea/internal/block/blkdebug"
	"rhea/internal/block/qcow2"
	"rhea/internal/block/raw"
)

// image is an open disk image.
type image interface {
	block.Backend
	io.Closer
	// Used is how many bytes it takes on the host's disk.
	Used() int64
}

// qcow2Image is one of qcow2.
type qcow2Image struct {
	*qcow2.Image
	file *raw.Image // the same file
}

func (q qcow2Image) Used() int64 { return q.file.Used() }

// maxChain bounds how many images may be below one.
const maxChain = 64

// opener opens an image, and the backing files that it names. An image may name
// any file of the host's, and its guest may have written it: only what is in the
// folder of the image that the user has given is taken, or below, or what the
// user allows (backing.file.filename).
type opener struct {
	folders []string
	allowed string // of the first image's backing file, "" = none
	depth   int
	inject  *blkdebug.Injector // into the first image, nil = nothing
}

// openImage opens a drive's image, and says what format it has.
func openImage(d *Drive, readOnly bool) (image, string, error) {
	in, err := d.Inject.open()
	if err != nil {
		return nil, "", err
	}
	o := opener{folders: []string{filepath.Dir(d.File)}, allowed: d.Backing, inject: in}
	if d.Backing != "" {
		o.folders = append(o.folders, filepath.Dir(d.Backing))
	}
	return o.open(d.File, d.Format, readOnly, d.Cache.Direct)
}

func (o *opener) open(path, format string, readOnly, direct bool) (image, string, error) {
	if format == "" {
		var err error
		if format, err = probe(path); err != nil {
			return nil, "", err
		}
	}
	in := o.inject
	o.inject = nil
	if format == "raw" {
		open := raw.Open
		if direct {
			open = raw.OpenDirect
		}
		i, err := open(path, readOnly)
		if err != nil {
			return nil, "", fmt.Errorf("could not open '%s': %w", path, reason(err))
		}
		if in != nil {
			return faultyImage{i, in}, format, nil
		}
		return i, format, nil
	}
	mode := os.O_RDWR
	if readOnly {
		mode = os.O_RDONLY
	}
	f, err := os.OpenFile(path, mode, 0)
	if err != nil {
		return nil, "", fmt.Errorf("could not open '%s': %w", path, reason(err))
	}
	file, err := raw.New(f, readOnly)
	if err != nil {
		f.Close()
		return nil, "", fmt.Errorf("could not open '%s': %w", path, reason(err))
	}
	var storage qcow2.Storage = f
	if in != nil {
		storage = faulty{f, in}
	}
	i, err := qcow2.Open(storage, path, qcow2.Options{ReadOnly: readOnly, Backing: func(name, format string) (block.Backend, error) {
		return o.backing(path, name, format)
	}})
	if err != nil {
		return nil, "", fmt.Errorf("could not open %w", err)
	}
	return qcow2Image{i, file}, format, nil
}

// backing opens the backing file that the image at path names.
func (o *opener) backing(path, name, format string) (block.Backend, error) {
	if o.depth++; o.depth > maxChain {
		return nil, fmt.Errorf("there are more than %d backing files", maxChain)
	}
	given := o.allowed
	o.allowed = ""
	if given != "" {
		i, _, err := o.open(given, format, true, false)
		return i, err
	}
	name = strings.TrimPrefix(name, "file:")
	if scheme, _, ok := strings.Cut(name, ":"); ok && !strings.ContainsAny(scheme, "/.") && len(scheme) > 1 {
		return nil, fmt.Errorf("its backing file '%s' is none of the host's files, which is not supported yet", name)
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(path), name)
	}
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return nil, fmt.Errorf("its backing file '%s' cannot be opened: %w", name, reason(err))
	}
	if !o.isInside(real) {
		return nil, fmt.Errorf("its backing file '%s' is not in the same folder; backing.file.filename=%s allows it", name, name)
	}
	switch format {
	case "", "raw", "qcow2":
	default:
		return nil, fmt.Errorf("its backing file has the format '%s', which is not supported yet", format)
	}
	i, _, err := o.open(real, format, true, false)
	return i, err
}

func (o *opener) isInside(path string) bool {
	for _, dir := range o.folders {
		dir, err := filepath.EvalSymlinks(dir)
		if err != nil {
			continue
		}
		if dir, err = filepath.Abs(dir); err != nil {
			continue
		}
		if path, err = filepath.Abs(path); err != nil {
			continue
		}
		if rel, err := filepath.Rel(dir, path); err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
			return true
		}
	}
	return false
}

// magics of image formats that are not raw, at the file's start.
var magics = []struct{ name, magic string }{
	{"qcow2", qcow2.Magic}, {"vmdk", "KDMV"}, {"vmdk", "# Disk Descriptor"}, {"vhdx", "vhdxfile"}, {"vpc", "conectix"},
	{"vdi", "<<< "}, {"luks", "LUKS\xba\xbe"}, {"qed", "QED\x00"}, {"parallels", "WithoutFreeSpace"},
}

// probe finds out what format an image has.
func probe(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("could not open '%s': %w", path, reason(err))
	}
	defer f.Close()
	head := make([]byte, 64)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("could not read '%s': %w", path, reason(err))
	}
	for _, m := range magics {
		if !bytes.HasPrefix(head[:n], []byte(m.magic)) {
			continue
		}
		if m.name != "qcow2" {
			return "", fmt.Errorf("'%s' is a %s image, which is not supported yet; 'qemu-img convert -O raw' makes a raw image of it "+
				"(format=raw takes it as it is)", path, m.name)
		}
		return m.name, nil
	}
	return "raw", nil
}
