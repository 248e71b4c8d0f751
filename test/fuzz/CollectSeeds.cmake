# Copies the files of SMALL and the ORACLE files that match PATTERNS to CORPUS,
# one flat directory.

set(patterns)
foreach(pattern ${PATTERNS})
  list(APPEND patterns ${ORACLE}/${pattern})
endforeach()
file(GLOB_RECURSE seeds ${patterns})
file(GLOB small ${SMALL}/*)
file(MAKE_DIRECTORY ${CORPUS})
foreach(seed ${seeds} ${small})
  file(RELATIVE_PATH name ${ORACLE} ${seed})
  string(REGEX REPLACE "[/.]+" "-" name ${name})
  configure_file(${seed} ${CORPUS}/seed-${name} COPYONLY)
endforeach()
