# Compiles the firmware as a Linux program, build/firmware/reader, and what readers in the field have, as .../field; beside
# them what a test puts between a program and its system. What is there already is kept: after a change of the packages
# one file of sixty is compiled.
#
#   make -f tests/firmware/build.mk ESPHOME=path/to/esphome

ESPHOME ?= esphome
OUT := build/firmware
HERE := tests/firmware
INPUTS := $(HERE)/requirements.txt $(HERE)/bench.h $(wildcard etc/esphome/packages/*) $(wildcard etc/esphome/components/*/*)

.PHONY: all
ifndef PROGRAM

# The list of sources is known when ESPHome has written them.
all: $(OUT)/host.generated $(OUT)/field.generated
	@$(MAKE) --no-print-directory -f $(HERE)/build.mk PROGRAM=reader
	@$(MAKE) --no-print-directory -f $(HERE)/build.mk PROGRAM=field

$(OUT)/%.generated: $(HERE)/%.yaml $(INPUTS)
	@mkdir -p $(OUT)
	ESPHOME_DATA_DIR=$(abspath $(OUT)) $(ESPHOME) -q compile --only-generate $<
	@touch $@

else

GENERATED := $(OUT)/build/$(PROGRAM)
BUILT := $(OUT)/objects/$(PROGRAM)

all: $(OUT)/$(PROGRAM) $(OUT)/shim.so

GIVEN := $(shell sed -n '/^build_flags/,/^build_unflags/s/^ *\(-.*\)/\1/p' $(GENERATED)/platformio.ini)
FLAGS := -O0 $(filter-out -l%,$(GIVEN)) -I$(GENERATED)/src -I$(HERE)
SOURCES := $(shell find $(GENERATED)/src -name '*.cpp')
OBJECTS := $(SOURCES:$(GENERATED)/src/%.cpp=$(BUILT)/%.o)
COMMON := $(BUILT)/common.h

$(OUT)/$(PROGRAM): $(OBJECTS)
	$(CXX) -o $@ $^ -lpthread -lcrypto

$(COMMON):
	@printf '#include <nlohmann/json.hpp>\n#include <openssl/evp.h>\n' | $(CXX) -E -x c++ - >/dev/null 2>&1 || \
	  { echo "on Debian: apt install g++ nlohmann-json3-dev libssl-dev"; exit 1; }
	@mkdir -p $(@D)
	@printf '#include "esphome/core/%s"\n' application.h automation.h base_automation.h helpers.h log.h >$@
	@printf '#include <%s>\n' functional nlohmann/json.hpp >>$@

$(COMMON).gch: $(COMMON)
	$(CXX) $(FLAGS) -MMD -MP -x c++-header $< -o $@

# The packages and the components are ours: a warning is an error there.
$(BUILT)/esphome/components/async_post/%.o $(BUILT)/esphome/components/offline_list/%.o: FLAGS += -Wall -Wextra -Werror

$(BUILT)/%.o: $(GENERATED)/src/%.cpp $(COMMON).gch
	@mkdir -p $(@D)
	@echo $*
	@$(CXX) $(FLAGS) -include $(COMMON) -MMD -MP -c $< -o $@

$(OUT)/shim.so: $(HERE)/shim.c
	$(CC) -shared -fPIC -Wall -Wextra -Werror -O1 -o $@ $< -ldl

-include $(COMMON).d $(OBJECTS:.o=.d)

endif
