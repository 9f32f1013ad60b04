-- System calls of Linux, through LuaJIT's FFI.

local ffi = require "ffi"

ffi.cdef [[
  typedef int pid_t;
  typedef struct { unsigned long words[16]; } sigset_t;
  struct pollfd { int fd; short events; short revents; };
  struct timespec { long seconds; long nanoseconds; };
  struct sockaddr { unsigned short family; char data[126]; };
  struct addrinfo {
    int flags, family, socktype, protocol;
    unsigned int addrlen; struct sockaddr *addr; char *canonname; struct addrinfo *next;
  };

  int poll(struct pollfd *fds, unsigned long count, int milliseconds);
  int clock_gettime(int clock, struct timespec *time);
  int socket(int domain, int type, int protocol);
  int bind(int fd, const struct sockaddr *address, unsigned int length);
  int listen(int fd, int backlog);
  int accept4(int fd, struct sockaddr *address, unsigned int *length, int flags);
  int connect(int fd, const struct sockaddr *address, unsigned int length);
  int setsockopt(int fd, int level, int name, const void *value, unsigned int length);
  int getsockopt(int fd, int level, int name, void *value, unsigned int *length);
  int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found);
  void freeaddrinfo(struct addrinfo *found);
  const char *gai_strerror(int code);
  int getnameinfo(const struct sockaddr *address, unsigned int length, char *host, unsigned int hostlen,
                  char *service, unsigned int servicelen, int flags);
  long send(int fd, const void *data, size_t length, int flags);
  long read(int fd, void *data, size_t length);
  long write(int fd, const void *data, size_t length);
  int open(const char *path, int flags, ...);
  int close(int fd);
  int pipe2(int fds[2], int flags);
  int dup2(int from, int to);
  int fcntl(int fd, int command, ...);
  pid_t fork(void);
  pid_t setsid(void);
  pid_t getpid(void);
  pid_t waitpid(pid_t pid, int *status, int options);
  int kill(pid_t pid, int signal);
  int sigemptyset(sigset_t *set);
  int sigaddset(sigset_t *set, int signal);
  int sigprocmask(int how, const sigset_t *set, sigset_t *old);
  int signalfd(int fd, const sigset_t *set, int flags);
  int mkdir(const char *path, unsigned int mode);
  int setenv(const char *name, const char *value, int overwrite);
  extern char **environ;
  void _exit(int status);
  char *strerror(int code);
  int gethostname(char *name, size_t length);
]]

local C = ffi.C
local posix = {
  POLLIN = 1, POLLOUT = 4, POLLERR = 8, POLLHUP = 16,
  EINTR = 4, EAGAIN = 11, EINPROGRESS = 115, EEXIST = 17, ESRCH = 3, EPERM = 1,
  SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGKILL = 9, SIGTERM = 15, SIGCHLD = 17, SIGPIPE = 13,
  WNOHANG = 1, NONBLOCK = 0x800, CLOEXEC = 0x80000,
}

function posix.errno()
  return ffi.errno()
end

function posix.failed(code)
  return ffi.string(C.strerror(code or ffi.errno()))
end

local time = ffi.new("struct timespec")

-- Returns seconds of the monotonic clock.
function posix.monotonic()
  C.clock_gettime(1, time)
  return tonumber(time.seconds) + tonumber(time.nanoseconds) / 1e9
end

-- Returns seconds since 1970.
function posix.now()
  C.clock_gettime(0, time)
  return tonumber(time.seconds) + tonumber(time.nanoseconds) / 1e9
end

local one = ffi.new("struct pollfd[1]")

-- Waits for a descriptor. Returns its events, or 0 after the timeout.
function posix.poll(fd, events, seconds)
  one[0].fd, one[0].events, one[0].revents = fd, events, 0
  local count = C.poll(one, 1, seconds and math.max(0, math.ceil(seconds * 1000)) or -1)
  return count > 0 and one[0].revents or 0
end

function posix.sleep(seconds)
  local deadline = posix.monotonic() + seconds
  repeat
    C.poll(nil, 0, math.ceil(math.max(0, deadline - posix.monotonic()) * 1000))
  until posix.monotonic() >= deadline
end

-- Blocks the signals and returns a descriptor that receives them. Linux does not deliver an unhandled signal to the
-- first process of a container, but it delivers a blocked one.
function posix.signals(...)
  local set = ffi.new("sigset_t")
  C.sigemptyset(set)
  for _, signal in ipairs { ... } do
    C.sigaddset(set, signal)
  end
  C.sigprocmask(2, set, nil)
  return C.signalfd(-1, set, posix.NONBLOCK + posix.CLOEXEC)
end

local information = ffi.new("uint32_t[32]")

-- Returns the next signal of the descriptor, or nil.
function posix.next_signal(fd)
  if C.read(fd, information, 128) == 128 then
    return tonumber(information[0])
  end
end

-- Reports whether a process runs. A zombie counts as ended, because the first process of a container may never wait for
-- it.
function posix.running(pid)
  if pid == nil or (C.kill(pid, 0) ~= 0 and ffi.errno() ~= posix.EPERM) then
    return false
  end
  local file = io.open("/proc/" .. pid .. "/stat")
  local text = file and file:read("*a") or ""
  if file then
    file:close()
  end
  return text:match("%) (%u)") ~= "Z"
end

function posix.environment()
  local variables, i = {}, 0
  while C.environ[i] ~= nil do
    local name, value = ffi.string(C.environ[i]):match("^([^=]+)=(.*)$")
    if name then
      variables[name] = value
    end
    i = i + 1
  end
  return variables
end

function posix.hostname()
  local name = ffi.new("char[256]")
  C.gethostname(name, 255)
  return ffi.string(name)
end

-- Creates a folder and its parents.
function posix.mkdirs(path)
  local made = path:sub(1, 1) == "/" and "" or "."
  for part in path:gmatch("[^/]+") do
    made = made .. "/" .. part
    if C.mkdir(made, 493) ~= 0 and ffi.errno() ~= posix.EEXIST then
      local folder = io.open(made, "r")
      if not folder then
        return nil, "cannot create folder " .. made .. ": " .. posix.failed()
      end
      folder:close()
    end
  end
  return true
end

return posix
