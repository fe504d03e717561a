# A CMake toolchain: Clang and libc++ as the Python package ziglang brings them, for any system from any other.
# -DZIG_TARGET=x86_64-windows-gnu or another of `zig targets`; -DZIG=PATH where zig is not the package's.
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES ZIG ZIG_TARGET)

if(NOT ZIG)
  execute_process(
    COMMAND python -c "import ziglang, pathlib; print((pathlib.Path(ziglang.__file__).parent / 'zig').as_posix())"
    OUTPUT_VARIABLE ZIG OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endif()
string(REGEX MATCH "^[^-]+" CMAKE_SYSTEM_PROCESSOR "${ZIG_TARGET}")
if(ZIG_TARGET MATCHES "windows")
  set(CMAKE_SYSTEM_NAME Windows)
elseif(ZIG_TARGET MATCHES "macos")
  set(CMAKE_SYSTEM_NAME Darwin)
else()
  set(CMAKE_SYSTEM_NAME Linux)
endif()
set(CMAKE_CXX_COMPILER ${ZIG} c++ -target ${ZIG_TARGET})
