package pickle

import (
	"slices"
	"strings"
)

// In protocols 0 to 2 the standard library's names are those of Python 2. Python: _compat_pickle.
//
// python3Modules lists the modules that have another name, python3Names the single names in
// them that do, as pairs of old and new. All names of Python 2's module exceptions are in builtins.
const (
	python3Modules = `__builtin__ builtins  copy_reg copyreg  Queue queue  SocketServer socketserver
		ConfigParser configparser  repr reprlib  tkFileDialog tkinter.filedialog
		tkSimpleDialog tkinter.simpledialog  tkColorChooser tkinter.colorchooser
		tkCommonDialog tkinter.commondialog  Dialog tkinter.dialog  Tkdnd tkinter.dnd  tkFont tkinter.font
		tkMessageBox tkinter.messagebox  ScrolledText tkinter.scrolledtext  Tkconstants tkinter.constants
		Tix tkinter.tix  ttk tkinter.ttk  Tkinter tkinter  FileDialog tkinter.filedialog
		SimpleDialog tkinter.simpledialog  markupbase _markupbase  _winreg winreg  thread _thread
		dummy_thread _dummy_thread  dbhash dbm.bsd  dumbdbm dbm.dumb  dbm dbm.ndbm  gdbm dbm.gnu
		anydbm dbm  whichdb dbm  xmlrpclib xmlrpc.client  SimpleXMLRPCServer xmlrpc.server
		DocXMLRPCServer xmlrpc.server  httplib http.client  Cookie http.cookies  cookielib http.cookiejar
		BaseHTTPServer http.server  SimpleHTTPServer http.server  CGIHTTPServer http.server
		htmlentitydefs html.entities  HTMLParser html.parser  test.test_support test.support
		commands subprocess  urlparse urllib.parse  robotparser urllib.robotparser  urllib2 urllib.request
		_abcoll collections.abc  UserDict collections  UserList collections  UserString collections
		cPickle pickle  _elementtree xml.etree.ElementTree  StringIO io  cStringIO io`

	python3Names = `__builtin__.xrange builtins.range  __builtin__.reduce functools.reduce
		__builtin__.intern sys.intern  __builtin__.unichr builtins.chr  __builtin__.unicode builtins.str
		__builtin__.basestring builtins.str  __builtin__.long builtins.int
		itertools.izip builtins.zip  itertools.imap builtins.map  itertools.ifilter builtins.filter
		itertools.ifilterfalse itertools.filterfalse  itertools.izip_longest itertools.zip_longest
		UserDict.IterableUserDict collections.UserDict  _socket.fromfd socket.fromfd
		socket._socketobject socket.SocketType
		_multiprocessing.Connection multiprocessing.connection.Connection
		multiprocessing.process.Process multiprocessing.context.Process
		multiprocessing.forking.Popen multiprocessing.popen_fork.Popen
		multiprocessing.AuthenticationError multiprocessing.context.AuthenticationError
		multiprocessing.BufferTooShort multiprocessing.context.BufferTooShort
		multiprocessing.ProcessError multiprocessing.context.ProcessError
		multiprocessing.TimeoutError multiprocessing.context.TimeoutError
		urllib.ContentTooShortError urllib.error.ContentTooShortError
		urllib.getproxies urllib.request.getproxies  urllib.pathname2url urllib.request.pathname2url
		urllib.url2pathname urllib.request.url2pathname  urllib.urlcleanup urllib.request.urlcleanup
		urllib.urlopen urllib.request.urlopen  urllib.urlretrieve urllib.request.urlretrieve
		urllib.quote urllib.parse.quote  urllib.quote_plus urllib.parse.quote_plus
		urllib.unquote urllib.parse.unquote  urllib.unquote_plus urllib.parse.unquote_plus
		urllib.urlencode urllib.parse.urlencode
		urllib2.HTTPError urllib.error.HTTPError  urllib2.URLError urllib.error.URLError
		exceptions.StandardError builtins.Exception`
)

// maxRenamed is a length that no name of the tables has.
const maxRenamed = 128

// A renaming is the table of the names that differ, made when a pickle first needs it.
type renaming struct {
	modules map[string]string
	names   map[Class]Class
}

func newRenaming() *renaming {
	r := &renaming{modules: make(map[string]string), names: make(map[Class]Class)}
	for pair := range slices.Chunk(strings.Fields(python3Modules), 2) {
		r.modules[pair[0]] = pair[1]
	}
	for pair := range slices.Chunk(strings.Fields(python3Names), 2) {
		r.names[splitName(pair[0])] = splitName(pair[1])
	}
	return r
}

func splitName(dotted string) Class {
	dot := strings.LastIndexByte(dotted, '.')
	return Class{Module: dotted[:dot], Name: dotted[dot+1:]}
}

// python3 is the name in Python 3 of a global of Python 2.
func (r *renaming) python3(class Class) Class {
	if renamed, ok := r.names[class]; ok {
		return renamed
	}
	if class.Module == "exceptions" {
		return Class{Module: "builtins", Name: class.Name}
	}
	if module, ok := r.modules[class.Module]; ok {
		return Class{Module: module, Name: class.Name}
	}
	return class
}
