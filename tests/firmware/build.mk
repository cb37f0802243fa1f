# Compiles the firmware as a Linux program, build/firmware/reader, and beside it what a test puts between it and its
# system. What is there already is kept: after a change of the packages one file of sixty is compiled.
#
#   make -f tests/firmware/build.mk ESPHOME=path/to/esphome

ESPHOME ?= esphome
OUT := build/firmware
GENERATED := $(OUT)/build/reader
HERE := tests/firmware
INPUTS := $(HERE)/requirements.txt $(HERE)/host.yaml $(HERE)/bench.h $(wildcard etc/esphome/packages/*) $(wildcard etc/esphome/components/*/*)

.PHONY: all
ifndef SECOND

# The list of sources is known when ESPHome has written them.
all: $(OUT)/generated
	@$(MAKE) --no-print-directory -f $(HERE)/build.mk SECOND=1

$(OUT)/generated: $(INPUTS)
	@mkdir -p $(OUT)
	ESPHOME_DATA_DIR=$(abspath $(OUT)) $(ESPHOME) -q compile --only-generate $(HERE)/host.yaml
	@touch $@

else

all: $(OUT)/reader $(OUT)/shim.so

GIVEN := $(shell sed -n '/^build_flags/,/^build_unflags/s/^ *\(-.*\)/\1/p' $(GENERATED)/platformio.ini)
FLAGS := -O0 $(filter-out -l%,$(GIVEN)) -I$(GENERATED)/src -I$(HERE)
SOURCES := $(shell find $(GENERATED)/src -name '*.cpp')
OBJECTS := $(SOURCES:$(GENERATED)/src/%.cpp=$(OUT)/objects/%.o)
COMMON := $(OUT)/objects/common.h

$(OUT)/reader: $(OBJECTS)
	$(CXX) -o $@ $^ -lpthread $(filter -l%,$(GIVEN))

$(COMMON):
	@printf '#include <%s>\n' nlohmann/json.hpp openssl/evp.h | $(CXX) -E -x c++ - >/dev/null 2>&1 || \
	  { echo "on Debian: apt install g++ libssl-dev nlohmann-json3-dev"; exit 1; }
	@mkdir -p $(@D)
	@printf '#include "esphome/core/%s"\n' application.h automation.h base_automation.h helpers.h log.h >$@
	@printf '#include <%s>\n' functional nlohmann/json.hpp >>$@

$(COMMON).gch: $(COMMON)
	$(CXX) $(FLAGS) -MMD -MP -x c++-header $< -o $@

# The packages and the components are ours: a warning is an error there.
$(OUT)/objects/esphome/components/async_post/%.o $(OUT)/objects/esphome/components/offline_list/%.o: FLAGS += -Wall -Wextra -Werror

$(OUT)/objects/%.o: $(GENERATED)/src/%.cpp $(COMMON).gch
	@mkdir -p $(@D)
	@echo $*
	@$(CXX) $(FLAGS) -include $(COMMON) -MMD -MP -c $< -o $@

$(OUT)/shim.so: $(HERE)/shim.c
	$(CC) -shared -fPIC -Wall -Wextra -Werror -O1 -o $@ $< -ldl

-include $(COMMON).d $(OBJECTS:.o=.d)

endif
