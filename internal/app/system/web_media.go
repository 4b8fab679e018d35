package system

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mediaFolder is what the web page may put into drives: images of the folders
// in which the command line's images are, or all files of -display web,media=.
type mediaFolder struct {
	dirs []string // without symbolic links
	all  bool
}

// imageSuffixes are those of floppies and CDs.
var imageSuffixes = []string{".iso", ".img", ".ima", ".image", ".flp", ".fd", ".vfd", ".dsk", ".raw", ".bin", ".qcow2", ".toast", ".cdr"}

// maxMedia bounds the list that the page shows.
const maxMedia = 500

// mediaFolder finds the folders; those that do not exist are left out, but
// that of media= has to.
func (m *machine) mediaFolder(dir string) (*mediaFolder, error) {
	if dir != "" {
		real, err := filepath.EvalSymlinks(dir)
		if err == nil {
			real, err = filepath.Abs(real)
		}
		if st, e := os.Stat(dir); err == nil && e == nil && !st.IsDir() {
			err = errors.New("it is no folder")
		}
		if err != nil {
			return nil, fmt.Errorf("media=%s: %w", dir, reason(err))
		}
		return &mediaFolder{dirs: []string{real}, all: true}, nil
	}
	f := &mediaFolder{}
	for i := range m.cfg.Drives {
		file := m.cfg.Drives[i].File
		st, err := os.Stat(file)
		if file == "" || err != nil || !st.Mode().IsRegular() {
			continue
		}
		if d, err := realFile(file); err == nil && !slices.Contains(f.dirs, filepath.Dir(d)) {
			f.dirs = append(f.dirs, filepath.Dir(d))
		}
	}
	return f, nil
}

// realFile is a file's absolute name, without symbolic links.
func realFile(name string) (string, error) {
	name, err := filepath.EvalSymlinks(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(name)
}

// find is the name of a file that may be inserted. A name without a folder is
// looked for in all of f's.
func (f *mediaFolder) find(name string) (string, error) {
	names := []string{name}
	if filepath.Base(name) == name {
		names = names[:0]
		for _, d := range f.dirs {
			names = append(names, filepath.Join(d, name))
		}
	}
	for _, n := range names {
		real, err := realFile(n)
		if err != nil || !slices.Contains(f.dirs, filepath.Dir(real)) || !f.takes(real) {
			continue
		}
		if st, err := os.Stat(real); err == nil && st.Mode().IsRegular() {
			return real, nil
		}
	}
	return "", fmt.Errorf("there is no image '%s' in the folders of the machine's images; -display web=…,media=FOLDER allows another", name)
}

func (f *mediaFolder) takes(name string) bool {
	return f.all || slices.Contains(imageSuffixes, strings.ToLower(filepath.Ext(name)))
}

// list is what may be inserted, sorted.
func (f *mediaFolder) list() []string {
	l := []string{}
	for _, d := range f.dirs {
		entries, err := os.ReadDir(d)
		if err != nil {
			continue
		}
		for _, e := range entries {
			name := filepath.Join(d, e.Name())
			if len(l) < maxMedia && e.Type().IsRegular() && f.takes(name) && !strings.HasPrefix(e.Name(), ".") {
				l = append(l, name)
			}
		}
	}
	slices.Sort(l)
	return l
}
