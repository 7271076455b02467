package vectors

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
)

// File is an open file of vectors. It is read from front to back, block by
// block: no more than a block is in memory.
type File struct {
	path   string
	header Header
	body   int64 // where the blocks begin
	size   int64
	from   io.ReaderAt
	close  func() error
}

// Open opens the file of vectors at path and checks its header. Its vectors are
// checked as they are read.
func Open(path string) (*File, error) {
	info, err := os.Stat(path) // before it is opened: to open a pipe is to wait for its writer
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file of vectors: it is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	file, err := open(f, info.Size(), path)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	file.close = f.Close
	return file, nil
}

// open opens the file of vectors that is the first size bytes of from.
func open(from io.ReaderAt, size int64, path string) (*File, error) {
	h, body, err := readHeader(io.NewSectionReader(from, 0, size), path)
	if err != nil {
		return nil, err
	}
	return &File{path: path, header: h, body: body, size: size, from: from, close: func() error { return nil }}, nil
}

// Close releases the file.
func (f *File) Close() error { return f.close() }

// Path returns the path that was opened.
func (f *File) Path() string { return f.path }

// Header returns what the vectors are.
func (f *File) Header() Header { return f.header }

// All yields the records in their order; they are the caller's to keep. An error
// ends them: damage is a *CorruptError.
func (f *File) All() iter.Seq2[Record, error] { return f.records(f.header.Count) }

// records yields the first n records, with which the file must end if they are
// all that its header counts.
func (f *File) records(n int) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		b := blocks{file: f, at: place{f.path, f.body}}
		for done := 0; done < n; {
			records, err := b.next(f.header.Count - done)
			if err != nil {
				yield(Record{}, err)
				return
			}
			for _, r := range records {
				if !yield(r, nil) {
					return
				}
			}
			done += len(records)
		}
		if n == f.header.Count && b.at.at != f.size {
			yield(Record{}, b.at.corrupt("%d bytes follow the last vector", f.size-b.at.at))
		}
	}
}

// blocks reads the blocks of a file in turn.
type blocks struct {
	file   *File
	at     place
	buffer []byte
}

// next returns the records of the next block, which holds left at most.
func (b *blocks) next(left int) ([]Record, error) {
	data, err := b.read(left)
	if err != nil {
		return nil, err
	}
	records, err := decode(data, b.file.header)
	if err != nil {
		return nil, b.at.corrupt("%v", err)
	}
	b.at.at += int64(len(data)) + sumBytes
	return records, nil
}

// read returns the next block without its checksum, which is right; the block
// holds as many records as it has to where left remain.
func (b *blocks) read(left int) ([]byte, error) {
	var head [counts]byte
	if _, err := b.file.from.ReadAt(head[:], b.at.at); err != nil {
		return nil, b.at.cut(err)
	}
	size, n, ok := blockSize(head[:], b.file.header.termBytes(), b.file.size-b.at.at)
	if !ok || n != min(left, blockRecords) {
		return nil, b.at.corrupt("no block of %d vectors begins there, or the file is cut off within it", min(left, blockRecords))
	}
	if int64(cap(b.buffer)) < size {
		b.buffer = make([]byte, size)
	}
	data := b.buffer[:size]
	if _, err := b.file.from.ReadAt(data, b.at.at); err != nil {
		return nil, b.at.cut(err)
	}
	body, ok := sealed(data)
	if !ok {
		return nil, b.at.corrupt("the %d bytes from there do not have their checksum", size)
	}
	return body, nil
}

// whole returns how many records the leading whole blocks hold, and where they
// end.
func (f *File) whole() (records int, end int64, err error) {
	b := blocks{file: f, at: place{f.path, f.body}}
	for records < f.header.Count {
		data, err := b.read(f.header.Count - records)
		if err == nil {
			_, err = decode(data, f.header)
		}
		if damage := new(CorruptError); errors.As(err, &damage) {
			break
		} else if err != nil {
			return 0, 0, err
		}
		records += min(f.header.Count-records, blockRecords)
		b.at.at += int64(len(data)) + sumBytes
	}
	return records, b.at.at, nil
}

// OpenWhole opens the file at path if it is there, whole and has the given
// header; file is nil where it is not.
func OpenWhole(path string, h Header) (file *File, err error) {
	f, err := Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if f.header != h {
		return nil, f.Close()
	}
	return f, nil
}
