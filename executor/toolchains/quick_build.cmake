# Makes llama.cpp compile in about half the time: what does no arithmetic (command line, HTTP, JSON, chat templates,
# image towers) is compiled in larger units and with fewer optimizations. ggml keeps -O3, libllama has -O2.
# CMake reads this right after project(llama.cpp) and runs it when the lists are done. Needs CMake 3.19.
function(quantplan_quick_build)
  set(mtmd ${CMAKE_SOURCE_DIR}/tools/mtmd)
  set_source_files_properties(${mtmd}/mtmd-helper.cpp ${mtmd}/mtmd-helper-gen.cpp
    DIRECTORY ${mtmd} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  # json.cpp specializes templates that its neighbours instantiate: alone or not at all.
  set_source_files_properties(${CMAKE_SOURCE_DIR}/common/json.cpp
    DIRECTORY ${CMAKE_SOURCE_DIR}/common PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  foreach(target IN ITEMS llama-common mtmd)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 12)
  endforeach()
  foreach(target IN ITEMS llama-common mtmd cpp-httplib server-context llama-server-impl)
    target_compile_options(${target} PRIVATE -O1)
  endforeach()
  target_compile_options(llama PRIVATE -O2)
  target_sources(llama-perplexity PRIVATE ${QUANTPLAN_TOOLCHAINS}/flush_log.cpp)
endfunction()
cmake_language(DEFER DIRECTORY ${CMAKE_SOURCE_DIR} CALL quantplan_quick_build)
